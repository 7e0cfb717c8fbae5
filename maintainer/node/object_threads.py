"""Threads that open, read and hash objects, mostly outside the interpreter's lock; who asks keeps the ledger."""

import threading
import time
from collections import deque
from typing import Any, Deque, List, Tuple

from maintainer.node.object_opening import Ahead
from maintainer.node.store_judging import algorithms
from maintainer.node.store_objects import Row
from maintainer.node.store_rows import FIRST_DEVIATION

_MOST_ROWS = 1000
_LOOK_EVERY = 0.002


class Hands:
    """A thread for each of `readers`. They are given no more than `most_bytes` before some of it was read.

    `asked` is how many bytes they were given of which no reading came back: those left over, when there was no time.
    """

    def __init__(self, readers, most_bytes):
        self._readers, self._most_bytes = readers, most_bytes
        self.asked = 0

    def read(self, rows):
        """Give each of the rows with its reading, as they come; what there was no time for is left out.

        Nobody but who asks takes the rows, one by one.
        """
        self._ahead = Ahead(lambda row: self._readers[0].open(row.path))
        self._done: Deque[Tuple[Row, Any]] = deque()
        self._errors: List[Exception] = []
        self._given = self.asked = 0
        threads = [threading.Thread(target=self._work, args=(one,), daemon=True) for one in self._readers]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                self._give(rows)
                yield from self._taken()
                time.sleep(_LOOK_EVERY)
        finally:
            self._ahead.end()
            for thread in threads:
                thread.join()
            self._ahead.end()
        yield from self._taken()
        if self._errors:
            raise self._errors[0]

    def _give(self, rows):
        """Ask for as much as may be on its way at once, and at least for one by each thread."""
        while self._given < len(self._readers) or (self.asked < self._most_bytes and self._given < _MOST_ROWS):
            row = next(rows, None)
            if row is None:
                self._ahead.close()
                return
            self.asked, self._given = self.asked + row.size, self._given + 1
            self._ahead.want(row)

    def _taken(self):
        while self._done:
            row, reading = self._done.popleft()
            self.asked, self._given = self.asked - row.size, self._given - 1
            yield row, reading

    def _work(self, reader):
        try:
            for row, opened in iter(self._ahead.next, None):
                # Of content that was sound before, digest and structure are proven by one and the same.
                sound = row.sha256 if row.verdict < FIRST_DEVIATION else None
                reading = reader.read_opened(opened, algorithms(row), sound)
                if reading is None:
                    return
                self._done.append((row, reading))
        except Exception as error:  # noqa: BLE001 (raised again by the thread that waits for this one)
            self._errors.append(error)
            self._ahead.end()
