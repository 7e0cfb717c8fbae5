"""End a detached operation before its time: {"state"} as it then is. What it has done by then stays done."""

import contextlib
import os

from maintainer.node import operations, state, supervision
from maintainer.node.envelope import mapping

_TO_END = 2 * supervision.GRACE


def run(request, policy, deadline):
    mapping(request, "request", ("id",))
    path, key = state.folder(policy), operations.check_id(request["id"])
    found = operations.holder(path)
    if found and found[0] == key:
        _terminate(found[1], found[2])
    ended, _ = operations.wait(path, key, min(_TO_END, deadline.left()))
    return {"state": ended}


def _terminate(pid, started):
    """Tell its supervisor, unless that is gone and its number is another process's."""
    with contextlib.suppress(OSError):
        if operations.started(pid) == started:
            os.kill(pid, supervision.CANCEL)
