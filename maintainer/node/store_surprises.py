"""Whether much that deviates is so all over the store, or only where it was just read.

A bad part of a disk holds whole studies, which are read one after the other: many of what was read, and few of all. Of
a lost mount or of another database, objects from anywhere deviate.
"""

from maintainer.node import store_ledger as ledger
from maintainer.node.store_judging import algorithms, judge
from maintainer.node.store_objects import rows
from maintainer.node.store_rows import FIRST_DEVIATION

SAMPLE = 300
_MOST_BYTES = 10**9
_ENDS = "SELECT min(key), max(key) FROM objects"
_FROM = "WHERE key >= ? ORDER BY key LIMIT 1"


def are_everywhere(opened, reader, turn, share):
    """Look at some objects, evenly over all keys; answers whether more than this share of them deviates anew.

    What was read in this turn is judged already, and what was known to deviate before it is no surprise. When the time
    is over first, nobody can say that it is not so.
    """
    sample = _sample(opened)
    read = [row for row in sample if row.looked == turn]
    surprises = sum(FIRST_DEVIATION <= row.verdict < ledger.FIRST_OF_FORM for row in read)
    looked_at, size = len(read), 0
    for row in sample:
        if row.looked == turn or row.verdict >= FIRST_DEVIATION or size + row.size > _MOST_BYTES:
            continue
        reading = reader.read(row.path, algorithms(row))
        if reading is None:
            return True
        surprises += judge(row, reading).word in ledger.DEVIATIONS_OF_CONTENT
        looked_at, size = looked_at + 1, size + row.size
    return surprises > share * looked_at


def _sample(opened):
    first, last = ledger.first(opened, _ENDS)
    keys = range(first, last + 1, (last - first) // SAMPLE + 1)
    found = (row for key in keys for row in rows(opened, _FROM, key))
    return list({row.key: row for row in found}.values())
