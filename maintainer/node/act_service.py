"""Start or stop a declared service and wait until it says so itself: {"seconds", "state"}."""

import time

from maintainer.node import commands, services
from maintainer.node.envelope import BadRequest, Failed, mapping
from maintainer.node.policy import Unit

GENTLE = False
"""What a start command leaves running would go last for as long as it lives: nobody could work with the archive."""
_WANTED = {"start": services.RUNNING, "stop": services.STOPPED}


def run(request, policy, deadline):
    mapping(request, "request", ("verb", "service"))
    verb = request["verb"]
    if verb not in _WANTED:
        raise BadRequest("the verb is neither start nor stop")
    service = policy.service(request["service"])
    began = time.monotonic()
    until = began + min(service.timeout_seconds, deadline.left())
    _command(verb, service, until)
    state = _await(verb, service, until)
    return {"seconds": round(time.monotonic() - began, 3), "state": state.state}


def _command(verb, service, until):
    left = max(0.1, until - time.monotonic())
    if isinstance(service, Unit):
        argv = ["systemctl", verb, "--no-ask-password", "--", service.unit]
        result = commands.run(argv, left, environment=services.systemctl_environment())
    else:
        # Its daemon inherits the output and must be able to write to it for as long as it lives.
        result = commands.run(getattr(service, verb), left, keep_output=verb == "stop")
    if result.status is None:
        raise Failed("the {} command did not end within {:.0f} s".format(verb, left), "look at the service by hand")
    if result.status != 0:
        said = ": " + result.output if result.output else ""
        raise Failed("the {} command ended with {}{}".format(verb, result.status, said), "run it by hand to see why")


def _await(verb, service, until):
    pause = 0.05
    while True:
        state = services.state_of(service, max(1.0, until - time.monotonic()))
        if state.state == _WANTED[verb]:
            return state
        if time.monotonic() + pause >= until:
            what = "after {} the service is {}: {}".format(verb, state.state, state.detail)
            raise Failed(what, "look at the service by hand")
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
