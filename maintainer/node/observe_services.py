"""State of every declared service: {name: {"state": running|stopped|unknown, "pid", "started_at", "detail"}}."""

from maintainer.node import services
from maintainer.node.envelope import mapping


def run(request, policy, deadline):
    mapping(request, "request", ())
    return {name: _state(policy.services[name], deadline) for name in sorted(policy.services)}


def _state(service, deadline):
    return dict(services.seen(service, deadline.left())._asdict())
