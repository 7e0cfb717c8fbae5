"""Bringing one service down or up by its own command. What counts is its state afterwards, not the command's status."""

import time
from typing import NamedTuple

from maintainer.node import commands, services
from maintainer.node.envelope import Failed
from maintainer.node.policy import Unit
from maintainer.node.supervision import NoVerdict

BY_HAND = "look at the service by hand"
_WANTED = {"start": services.RUNNING, "restart": services.RUNNING, "stop": services.STOPPED}
_PAUSE, _LONGEST_PAUSE = 0.02, 0.05
_NOT_SETTLED = (
    "D-Bus connection terminated",
    "Failed to connect to bus",
    "Failed to get properties",
    "Failed to wait for response",
    "Connection reset by peer",
    "Connection timed out",
    "Transport endpoint is not connected",
    "disconnected from message bus",
    " is destructive",
    " canceled.",
)
"""What systemctl says when the bus died under it, when the machine goes down, or when another job replaced its own.

Source: systemd, src/systemctl and src/shared/bus-wait-for-jobs.c, in the C locale.
"""


class Silent(NoVerdict):
    """Whoever could tell how a service is does not answer."""


class _Said(NamedTuple):
    """How a command ended: `trouble` is None when it ended well; `settled` unless nothing can be taken from that."""

    trouble: object
    settled: bool


def switch(service, verb, before, until):
    """Answer since when it is down or up, as the verb wants, and the state it is in; `before` is the one it was in.

    Raises:
        Failed: it is not so in time.
        Silent: nobody can tell.
    """
    said, pause = _command(service, verb, until), _PAUSE
    while True:
        asked = time.monotonic()
        state = _look(service, verb, before, said, until)
        if _is_done(verb, before, state, said):
            return asked, state
        if said.settled and said.trouble:
            raise said.trouble
        if time.monotonic() + pause >= until:
            raise _out_of_time(verb, state, said)
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        if not said.settled and state.state in (services.RUNNING, services.STOPPED):
            said = _command(service, verb, until)  # what was asked for got lost with the bus


def _command(service, verb, until):
    left = max(0.1, until - time.monotonic())
    try:
        result = _run(service, verb, left)
    except OSError as error:
        what = "the {} command cannot be run: {}".format(verb, error.strerror)
        return _Said(Failed(what, "see `services` in the inventory"), settled=True)
    if result.status == 0:
        return _Said(None, settled=True)
    if result.status is None:
        return _Said(Failed("the {} command did not end within {:.0f} s".format(verb, left), BY_HAND), settled=True)
    said = ": " + result.output if result.output else ""
    trouble = Failed("the {} command ended with {}{}".format(verb, result.status, said), "run it by hand to see why")
    lost = isinstance(service, Unit) and any(words in result.output for words in _NOT_SETTLED)
    return _Said(trouble, settled=not lost)


def _run(service, verb, seconds):
    if isinstance(service, Unit):
        argv = ["systemctl", verb, "--no-ask-password", "--", service.unit]
        return commands.run(argv, seconds, environment=services.systemctl_environment())
    # Its daemon inherits the output and must be able to write to it for as long as it lives.
    return commands.run(getattr(service, verb), seconds, keep_output=verb == "stop")


def _look(service, verb, before, said, until):
    """After a stop, its process alone tells: asking for the status would take longer than the service is down."""
    if verb == "stop" and said.trouble is None and before.pid:
        lives = services.lives(before)
        return before if lives else services.State(services.STOPPED, None, None, "its process is gone")
    return services.state_of(service, max(1.0, until - time.monotonic()))


def _is_done(verb, before, state, said):
    if state.state != _WANTED[verb]:
        return False
    return verb != "restart" or said.trouble is None or state.pid != before.pid


def _out_of_time(verb, state, said):
    what = "after {} the service is {}: {}".format(verb, state.state, state.detail)
    return Failed(what, BY_HAND) if said.settled and not services.is_silent(state) else Silent(what)
