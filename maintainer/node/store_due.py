"""What of a store is read next: the fresh first, then what deviated, then the oldest reading.

The position is the ledger itself: whatever was read has the number of this turn, and moved to the end of the queue.
Within a turn, nothing waits until it is written: what was given out is not given again.
"""

from maintainer.node import store_ledger as ledger
from maintainer.node.store_objects import rows
from maintainer.node.store_rows import NEVER

_PAGE = 200
_DEVIANTS = 1000
_ONE = "WHERE key = ?"
_OF_TURN = "WHERE looked = ? AND key > ? ORDER BY key LIMIT ?"
_DEVIANT = "WHERE key IN (SELECT key FROM deviations) AND verdict < ? AND looked < ? ORDER BY looked LIMIT ?"
_NEXT_TURN = "SELECT min(looked) FROM objects WHERE looked > ? AND looked < ?"
_BEFORE_ALL = -(2**63)


class Due:
    """What is due in this turn, each once. `before` are the keys of what is read before all else."""

    def __init__(self, opened, turn, before=()):
        self._opened, self._turn, self._before = opened, turn, before
        self._given = set()

    def urgent(self):
        """Give what is read whatever there is to read."""
        for key in self._before:
            yield from self._noted(rows(self._opened, _ONE, key))
        yield from self._of_turn(NEVER)
        yield from self._noted(rows(self._opened, _DEVIANT, ledger.FIRST_OF_FORM, self._turn, _DEVIANTS))

    def _noted(self, found):
        for row in found:
            if row.key not in self._given:
                self._given.add(row.key)
                yield row

    def oldest(self):
        """Give all else."""
        looked = NEVER
        while True:
            looked = ledger.first(self._opened, _NEXT_TURN, (looked, self._turn))[0]
            if looked is None:
                return
            yield from self._of_turn(looked)

    def _of_turn(self, looked):
        after = _BEFORE_ALL
        while True:
            page = rows(self._opened, _OF_TURN, looked, after, _PAGE)
            for row in page:
                if row.key not in self._given:
                    yield row
            if len(page) < _PAGE:
                return
            after = page[-1].key
