"""Which paths the ledger knows, for a walk over millions of files: some four bytes of memory for each object.

An index over paths would cost the ledger a fifth of its size, for one walk a night. This is made in one pass, and knows
paths by 44 bits of a hash that is another one in each process: with ten million objects, the chance that a stray file
is taken for a known one is one in two millions, and the next walk takes the chance anew.
"""

from array import array
from bisect import bisect_left
from typing import Set

from maintainer.node import store_counting
from maintainer.node.store_rows import name_of

_PARTS, _LOW, _BITS = 4096, 2**32 - 1, 32


class Known:
    """One array of parts that are sorted each; a part that came out larger than chance will have it is a set."""

    def __init__(self, opened):
        mean = store_counting.whole(opened)[0] / _PARTS
        self._room = int(mean + 6 * mean**0.5) + 8
        self._numbers = array("I", [0]) * (_PARTS * self._room)
        self._counts = [0] * _PARTS
        self._more: Set[int] = set()
        for (name,) in opened.execute("SELECT name FROM objects"):
            self._add(hash(name))
        for part, count in enumerate(self._counts):
            first = part * self._room
            self._numbers[first : first + count] = array("I", sorted(self._numbers[first : first + count]))

    def _add(self, number):
        part = number >> _BITS & _PARTS - 1
        count = self._counts[part]
        if count < self._room:
            self._numbers[part * self._room + count] = number & _LOW
            self._counts[part] = count + 1
        else:
            self._more.add(number)

    def __contains__(self, path):
        number = hash(name_of(path))
        part, low = number >> _BITS & _PARTS - 1, number & _LOW
        first = part * self._room
        end = first + self._counts[part]
        place = bisect_left(self._numbers, low, first, end)
        return (place < end and self._numbers[place] == low) or number in self._more
