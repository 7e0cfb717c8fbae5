"""Launch an acting program apart from the connection: {"launch": "launched" or "adopted"}.

A second launch of the same id finds the first one, running or ended, and starts nothing.
"""

import time

from maintainer.node import detach, lease, operations, state
from maintainer.node.envelope import Failed, Refused

_TO_START = 5.0
_TO_END = 5.0
"""Seconds between an operation's verdict and the end of its last process."""
_SAME = ("program", "request")


def launch(fields, job, *, prepared, gentle):
    """Start the job that the request's envelope asks for; `gentle` lets everyone else go first.

    Raises:
        Held: who asks is not the holder of this node's lease any more.
        Refused: another operation runs, or had this id.
        Failed: it could not be started; then nothing was.
        DeadlinePassed: time was over before it was known to have begun; a second launch finds out.
    """
    path, key = job.path, job.key
    with state.alone(path) as locked:
        lease.require(path, lease.claim(fields.get("lease")))
        earlier = operations.launch_of(path, key)
        if earlier is not None:
            _check_same(earlier["asked"], fields)
            return {"launch": "adopted"}
        _check_free(path)
        operations.write_launch(path, key, fields)
        try:
            operations.prune(path)
            if prepared and detach.has_systemd():
                detach.as_unit(key, job.longest, gentle=gentle)
            else:
                detach.as_process(job, locked)
        except (Failed, OSError):
            operations.forget_launch(path, key)
            raise
        _await_start(path, key)
    return {"launch": "launched"}


def _check_same(earlier, fields):
    """An id is one controller's for one thing."""
    same = all(earlier[what] == fields[what] for what in _SAME)
    if not same or earlier["lease"]["controller"] != fields["lease"]["controller"]:
        raise Refused("another operation had this id before", "an id is used once")


def _check_free(path):
    other, until = operations.running(path), time.monotonic() + _TO_END
    while other is not None:
        if time.monotonic() >= until or (other and operations.result_of(path, other) is None):
            what = "another operation still runs on this node: {}".format(other or "it just begins")
            raise Refused(what, "it ends by itself, at its deadline at the latest; then try again")
        time.sleep(0.005)
        other = operations.running(path)


def _await_start(path, key):
    """Let nobody else look before it has begun; one that has died by then is found to have vanished."""
    until = time.monotonic() + _TO_START
    while time.monotonic() < until and operations.running(path) != key and operations.result_of(path, key) is None:
        time.sleep(0.005)
