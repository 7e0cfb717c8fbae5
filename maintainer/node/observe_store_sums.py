"""Sums over ranges of keys, to find where ledger and index differ and send neither.

Request {}; answers {"width", "last_key", "sums", "compared"}: [[range, objects, sum of keys, sum of sizes], …], a range
being key // width; the greatest key; and the key after which the comparison goes on, 0 for the beginning. There are
about as many ranges as the square root of the objects, so that the sums of all cost as much as the objects of one.
"""

from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import mapping
from maintainer.node.store_counting import last_key, sums, whole

GENTLE = True
MOST = 5000


def run(request, policy, _deadline):
    mapping(request, "request", ())
    with ledger.to_read(ledger.path_of(policy)) as opened:
        if opened is None or ledger.is_older(opened):
            return {"width": 1, "last_key": 0, "sums": [], "compared": 0}
        count, last = whole(opened)[0], last_key(opened)
        width = last // min(MOST, max(1, int(count**0.5))) + 1
        compared = int(ledger.get(opened, "compared") or 0)
        return {"width": width, "last_key": last, "sums": sums(opened, width, last), "compared": compared}
