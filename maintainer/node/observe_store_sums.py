"""Sums over ranges of keys, to find where ledger and index differ and send neither: {"width", "last_key", "sums"}.

Request {}; answers [[range, objects, sum of keys, sum of sizes], …] as `sums`, a range being key // width, and the
greatest key. There are about as many ranges as the square root of the objects, so that the sums of all cost as much as
the objects of one that differs.
"""

from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import mapping
from maintainer.node.store_counting import last_key, sums, whole

GENTLE = True
MOST = 5000


def run(request, policy, _deadline):
    mapping(request, "request", ())
    with ledger.to_read(ledger.path_of(policy)) as opened:
        if opened is None:
            return {"width": 1, "last_key": 0, "sums": []}
        count, last = whole(opened)[0], last_key(opened)
        width = last // min(MOST, max(1, int(count**0.5))) + 1
        return {"width": width, "last_key": last, "sums": sums(opened, width, last)}
