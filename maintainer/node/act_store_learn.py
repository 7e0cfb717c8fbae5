"""Take into the ledger what the archive's index lists in one range of its keys: {"new", "replaced", "gone", "lost"}.

Request {"night", "after", "through", "objects": [[key, path, size, algorithm, digest, kind, uid], …], "lost_share"}:
these and no others have after < key ≤ through. `digest` is hexadecimal, or null; so is `uid`, eight bytes of a SHA-256
of the SOP instance UID. When more is replaced or gone in a night than that share of all, nothing of this request is
kept and `lost` is true: it is more likely another database.
"""

from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import mapping, number, text
from maintainer.node.store_counting import whole
from maintainer.node.store_learning import MOST, is_key, learn

GENTLE = True
LEAST_LOST = 1000
"""So many may change between two nights, whatever share they are of a small store: a few studies."""


class _Lost(Exception):
    pass


def run(request, policy, _deadline):
    mapping(request, "request", ("night", "after", "through", "objects", "lost_share"))
    night, objects = text(request["night"], "night", 64), request["objects"]
    after, through = request["after"], request["through"]
    if not is_key(after) or not is_key(through) or after > through:
        raise ValueError("after and through are whole numbers, in this order")
    if not isinstance(objects, list) or len(objects) > MOST:
        raise ValueError("objects is a list of at most {}".format(MOST))
    share = number(request["lost_share"], "lost_share", 0, 1)
    if policy.store is None:
        raise ValueError("this node has no store in its policy")
    with ledger.to_write(policy) as opened:
        try:
            with ledger.change(opened):
                learnt = learn(opened, after, through, objects)
                _count(opened, night, learnt, share)
        except _Lost:
            return {"new": 0, "replaced": 0, "gone": 0, "lost": True}
    return dict(learnt, lost=False)


def _count(opened, night, learnt, share):
    before, _, count = (ledger.get(opened, "changed") or "").rpartition(" ")
    changed = learnt["replaced"] + learnt["gone"] + (int(count) if before == night else 0)
    total = whole(opened)[0] + learnt["gone"]
    if changed > max(LEAST_LOST, share * total):
        raise _Lost
    ledger.put(opened, changed="{} {}".format(night, changed))
