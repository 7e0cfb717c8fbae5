"""What is counted over all rows of a ledger, out of what its triggers keep or in one pass.

Nothing here sorts much: what is too much for its memory SQLite sorts in a file, and whoever only looks writes none.
"""

from collections import Counter

from maintainer.node import store_ledger as ledger
from maintainer.node.store_rows import ARCHIVE, BASELINE, BASELINED, NEVER

_DAY = 86400
_TURNS = """
SELECT began, sum(objects), sum(bytes) FROM tally JOIN turns ON number = looked
GROUP BY number HAVING sum(objects) > 0 ORDER BY number DESC
"""
_WHOLE = "SELECT coalesce(sum(objects), 0), coalesce(sum(bytes), 0) FROM tally"
_SUMS = "SELECT count(*), sum(key - ?), sum(size) FROM objects WHERE key >= ? AND key < ?"


def whole(opened):
    """How many objects, and how many bytes."""
    return ledger.first(opened, _WHOLE)


def fresh(opened):
    """How many of them were never read, and how many bytes."""
    return ledger.first(opened, _WHOLE + " WHERE looked = ?", (NEVER,))


def last_key(opened):
    return ledger.first(opened, "SELECT coalesce(max(key), 0) FROM objects")[0]


def ages(opened):
    """Give [day since 1970, objects, bytes] of when objects were last read, the oldest first.

    A turn cannot have begun after a later one, or after now: where the clock says so, it was set back since.
    """
    objects: "Counter[int]" = Counter()
    size: "Counter[int]" = Counter()
    bound = ledger.now()
    for began, *read in opened.execute(_TURNS):
        bound = min(began, bound)
        objects[bound // _DAY] += read[0]
        size[bound // _DAY] += read[1]
    return [[day, objects[day], size[day]] for day in sorted(objects)]


def verified(opened):
    """How many objects are sound, by how that is known."""
    counts = dict(opened.execute("SELECT verdict, sum(objects) FROM tally GROUP BY verdict"))
    ways = {"archive": ARCHIVE, "baseline": BASELINE, "baselined": BASELINED}
    return {way: counts.get(verdict, 0) for way, verdict in ways.items()}


def sums(opened, width, last_key):
    """Give [range, objects, sum of keys, sum of sizes] of each range of so many keys in which there are objects."""
    found = []
    for place in range(last_key // width + 1):
        start = place * width
        # SQLite sums up within 64 bits, and an archive's keys may be large: only what is beyond the first is summed.
        count, beyond, size = ledger.first(opened, _SUMS, (start, start, start + width))
        if count:
            found.append([place, count, str(count * start + beyond), size])
    return found
