"""Letting go of an operation, so that neither a cut link nor the end of sshd ends it.

Where the program lies on the node and may tell systemd what to do, it becomes a transient unit; elsewhere a process
that has left its session.
"""

import os

from maintainer.node import archive, commands, services, supervision
from maintainer.node.envelope import Failed

_TO_LAUNCH = 20.0
_SLACK = 10
"""Seconds after which systemd ends what has not ended by itself."""


def has_systemd():
    return os.geteuid() == 0 and os.path.isdir("/run/systemd/system")


def as_unit(key, seconds, *, gentle):
    """Start the program that lies on this node anew, as the unit maintainer-ID; it reads what to do from its note.

    It ends by itself within these seconds.

    Raises:
        Failed: systemd said no, so that nothing was started.
    """
    limits = ["RuntimeMaxSec={}".format(int(seconds + _SLACK)), "StandardInput=null"]
    # What a start command leaves running is a service that was started, not a part of the operation.
    limits += ["KillMode=process"]
    limits += ["IOSchedulingClass=idle", "Nice=10"] if gentle else []
    argv = ["systemd-run", "--quiet", "--collect", "--no-ask-password", "--unit=maintainer-" + key]
    argv += ["--description=an operation that the PACS maintainer launched"]
    argv += ["--property=" + limit for limit in limits]
    argv += ["--", "/usr/bin/python3", "-I", "-S", "-B", archive.path(), "operation", key]
    result = commands.run(argv, _TO_LAUNCH, environment=services.systemctl_environment())
    if result.status is None:
        return  # systemd may start it yet: whoever asks for it by its id finds out
    if result.status != 0:
        said = result.output or "status {}".format(result.status)
        raise Failed("the operation could not be launched: " + said, "see `journalctl -u maintainer-{}`".format(key))


def as_process(job, locked):
    """Fork twice and leave the session; `locked` is this request's lock, which must not live on in the operation."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            os.close(locked)
            _let_go()
            supervision.carry_out(job)
    finally:
        os._exit(0)


def _let_go():
    """Keep nothing of the connection open: sshd waits for whoever holds its pipes."""
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
