"""Who holds this node: {"token", "holder", "released"}; of the holder also its "age_seconds"."""

from maintainer.node import lease, state
from maintainer.node.envelope import mapping


def run(request, policy, _deadline):
    mapping(request, "request", ())
    found = lease.look(state.folder(policy))
    holder = found["holder"]
    return dict(found, holder=dict(holder, age_seconds=int(lease.age(holder))) if holder else None)
