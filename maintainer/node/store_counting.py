"""What is counted over all rows of a ledger, out of an index or in one pass.

Nothing here sorts: what is too much for its memory SQLite sorts in a file, and whoever only looks writes none.
"""

from maintainer.node import store_ledger as ledger

_DAY = 86400
_FIRST = "SELECT min(looked) FROM objects WHERE looked >= ?"
_READ = "SELECT count(*), sum(size) FROM objects WHERE looked >= ? AND looked < ?"
_SOUND = "SELECT sum(verdict = ?), sum(verdict = ?), sum(verdict = ?) FROM objects"
_SUMS = "SELECT count(*), sum(key), sum(size) FROM objects WHERE key >= ? AND key < ?"


def ages(opened):
    """Give [day since 1970, objects, bytes] of when objects were last read, the oldest first."""
    found, (since,) = [], ledger.first(opened, _FIRST, (1,))
    while since is not None:
        day = since // _DAY
        after = (day + 1) * _DAY
        found.append([day, *ledger.first(opened, _READ, (since, after))])
        (since,) = ledger.first(opened, _FIRST, (after,))
    return found


def verified(opened):
    """How many objects are sound, by how that is known."""
    counts = ledger.first(opened, _SOUND, (ledger.ARCHIVE, ledger.BASELINE, ledger.BASELINED))
    archive, baseline, baselined = (count or 0 for count in counts)
    return {"archive": archive, "baseline": baseline, "baselined": baselined}


def sums(opened, width, last_key):
    """Give [range, objects, sum of keys, sum of sizes] of each range of so many keys in which there are objects."""
    found = []
    for place in range(last_key // width + 1):
        count, keys, size = ledger.first(opened, _SUMS, (place * width, (place + 1) * width))
        if count:
            found.append([place, count, str(keys), size])
    return found
