"""Restart services, or start those that do not run: {"seconds", "services": {name: {"did", "down_seconds"}}}.

The request has `services`, in starting order, all of which run in the end, and `stop_first`, those of them that are
stopped before that. No request only stops: what was stopped is started before this ends, however it ends.
"""

import time

from maintainer.node import services
from maintainer.node.envelope import BadRequest, Failed, Refused, mapping, texts
from maintainer.node.policy import Unit
from maintainer.node.switching import BY_HAND, Silent, switch

GENTLE = False
"""What a start command leaves running would go last for as long as it lives: nobody could work with the archive."""
LAUNCHED_ONLY = True
"""A connection that is cut must not part a stop from its start."""
_BETWEEN_LOOKS = 0.1


def check(request, policy):
    """Before it is launched: each service is one of the policy's, and what is stopped is among what runs in the end."""
    mapping(request, "request", ("services", "stop_first"))
    ordered = texts(request["services"], "request.services", least=1)
    stop_first = texts(request["stop_first"], "request.stop_first")
    if len(set(ordered)) < len(ordered) or not set(stop_first) <= set(ordered):
        raise BadRequest("what is stopped is not part of what runs in the end, or a service is named twice")
    return [(key, policy.service(key), key in stop_first) for key in ordered]


def run(request, policy, deadline):
    began, ordered = time.monotonic(), _services(request, policy)
    to_stop = deadline.left() - _to_start(ordered)
    if to_stop <= 0:
        raise Refused("there is not time enough to start again what would be stopped", "allow more time")
    trouble = _stop([one for one in reversed(ordered) if one.goes_down()], time.monotonic() + to_stop)
    _start(ordered, deadline)
    if trouble or any(one.trouble for one in ordered):
        raise _failed(trouble, ordered)
    return {"seconds": round(time.monotonic() - began, 3), "services": {one.name: one.told() for one in ordered}}


def rescue(request, policy, deadline):
    """Start what a run that was ended before its time has stopped; answers a sentence on how it is now."""
    ordered = _services(request, policy)
    for one in ordered:
        one.doubtful = one.may_stop and not isinstance(one.policy, Unit)
    _start(ordered, deadline)
    return "; ".join(one.sentence() for one in ordered)


class _Service:
    """One service on its way down and up. `doubtful`: its stop was given up, and may take effect all the same."""

    def __init__(self, key, policy, may_stop):
        self.name, self.policy, self.may_stop = key, policy, may_stop
        self.state = services.state_of(policy, policy.timeout_seconds)
        self.trouble = self.down_since = self.down_seconds = None
        self.verb, self.doubtful, self.started = "start", False, False

    def goes_down(self):
        if self.may_stop and self.state.state == services.UNKNOWN:
            raise Failed("cannot tell whether {} runs: {}".format(self.name, self.state.detail), BY_HAND)
        return self.may_stop and self.state.state == services.RUNNING

    def stop(self, until):
        self.down_since = time.monotonic()
        switch(self.policy, "stop", self.state, min(until, self.down_since + self.policy.timeout_seconds))

    def start(self, until):
        if self.verb == "restart":
            self.down_since = time.monotonic()
        elif self.down_since is None and services.lives(self.state):
            return
        self.started = True
        try:
            up_since, up = switch(self.policy, self.verb, self.state, until)
        except Failed as trouble:
            self.trouble = trouble
            return
        self.down_seconds = round(up_since - self.down_since, 3) if self.down_since else None
        self.doubtful = self.doubtful and up.pid == self.state.pid
        self.state, self.verb, self.trouble = up, "start", None

    def keep_up(self, until):
        """See that it stays up for as long as a stop that was given up might take."""
        while self.doubtful and time.monotonic() < until:
            if not services.lives(self.state):
                self.start(until)
            time.sleep(_BETWEEN_LOOKS)

    def told(self):
        did = "restarted" if self.down_since else "started" if self.started else "left"
        return {"did": did, "down_seconds": self.down_seconds}

    def sentence(self):
        if self.trouble:
            return "{}: {}".format(self.name, self.trouble.what)
        again = " again after {:.1f} s".format(self.down_seconds) if self.down_seconds is not None else ""
        return "{} runs{}".format(self.name, again)


def _services(request, policy):
    return [_Service(*one) for one in check(request, policy)]


def _to_start(ordered):
    return sum(one.policy.timeout_seconds for one in ordered)


def _stop(going_down, until):
    """Answers what went wrong; then the others stay up.

    The last is left to systemd where it is a unit's: its `restart` goes on whatever becomes of us.
    """
    for one in going_down:
        if one is going_down[-1] and isinstance(one.policy, Unit):
            one.verb = "restart"
            return None
        try:
            one.stop(until)
        except Failed as trouble:
            one.doubtful = not isinstance(one.policy, Unit)
            return Failed("{}: {}".format(one.name, trouble.what), trouble.hint)
    return None


def _start(ordered, deadline):
    """One that does not start keeps none of the others from being tried: the patient may be served without it."""
    silent = None
    for position, one in enumerate(ordered):
        left = deadline.left() - _to_start(ordered[position + 1 :])
        allowed = one.policy.timeout_seconds * (2 if one.verb == "restart" else 1)
        try:
            one.start(time.monotonic() + min(allowed, left))
        except Silent as ending:
            silent = ending
    for one in ordered:
        if one.doubtful:
            one.keep_up(time.monotonic() + min(one.policy.timeout_seconds, deadline.left()))
    if silent:
        raise silent


def _failed(trouble, ordered):
    first = trouble or next(one.trouble for one in ordered if one.trouble)
    sentences = [trouble.what] if trouble else []
    return Failed("; ".join(sentences + [one.sentence() for one in ordered]), first.hint)
