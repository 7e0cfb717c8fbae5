"""Reading what is due of a store into its ledger: the fresh first, then what deviated, then the oldest reading.

The position is the ledger itself: whatever was read has moved to the end of the queue. It is committed every few
seconds, so that who is killed loses those.
"""

import os
import threading
import time
from collections import deque
from typing import Any, Deque, List, Tuple

from maintainer.node import store_ledger as ledger
from maintainer.node.object_opening import Ahead
from maintainer.node.object_reading import Reader
from maintainer.node.store_judging import algorithms, judge
from maintainer.node.store_objects import Row
from maintainer.node.store_rows import FIRST_DEVIATION, NEVER, storable

COMMIT_EVERY = 3.0
LEAST_SURPRISES = 20
"""So few are told one by one, whatever share they are of a small store."""
_BATCH = 1000
_FIRST_BYTES, _LEAST_BYTES, _MOST_BYTES = 64 * 1024 * 1024, 16 * 1024 * 1024, 512 * 1024 * 1024
_WORTH_A_THREAD = 4 * 1024 * 1024
_DEVIANTS = 1000
_AT_ONCE = 100
_SELECT = """
SELECT key, name, size, form, proof, looked, mtime_ns, verdict,
    (SELECT good FROM deviations WHERE deviations.key = objects.key)
FROM objects
"""
"""In the order of `Row`."""
_FRESH = "WHERE looked = ? ORDER BY key LIMIT ?"
_DEVIANT = "WHERE key IN (SELECT key FROM deviations) AND verdict < ? AND looked < ? ORDER BY looked LIMIT ?"
_OLDEST = "WHERE looked < ? ORDER BY looked, key LIMIT ?"
_READ = "UPDATE objects SET looked = ?, mtime_ns = ?, proof = ?, verdict = coalesce(?, verdict) WHERE key = ?"


class Pace:
    """Keeps a rate over all threads: whoever has read a part waits until the clock has caught up with it."""

    def __init__(self, rate, deadline):
        self._rate, self._deadline = rate, deadline
        self._lock = threading.Lock()
        self._ahead = time.monotonic()

    def __call__(self, count):
        if not self._rate:
            return
        with self._lock:
            # What was not used within a second is lost: no burst after a pause.
            self._ahead = max(self._ahead, time.monotonic() - 1.0) + count / self._rate
            until = self._ahead
        while time.monotonic() < until and not self._deadline.passed():
            time.sleep(min(0.2, max(0.001, until - time.monotonic())))


class Reading:
    """One night's reading. `stopped` says why it ended: nothing-left, quota, deadline, or surprises.

    `missing`: key and path of what was missed since the last commit and had not been before.
    """

    def __init__(self, opened, store, quota, deadline, *, rate=None, threads=1, lost_share=1.0):
        self.objects = self.bytes = self.surprises = 0
        self.stopped = ""
        self._opened, self._store, self._quota, self._deadline = opened, store, quota, deadline
        self._threads, self._lost_share, self._rate = threads, lost_share, rate
        self._batch_bytes = min(_FIRST_BYTES, rate * COMMIT_EVERY) if rate else _FIRST_BYTES
        self._turn = NEVER
        self._deviants = _DEVIANTS
        self.missing = []
        self._read = []

    def run(self):
        """Read until there is a reason to stop; answers in how many seconds."""
        began, top = time.monotonic(), self._store.open_top()
        pace = Pace(self._rate, self._deadline)
        hands = _Hands([Reader(self._store, top, self._deadline, pace) for _ in range(self._threads)])
        try:
            with ledger.change(self._opened):
                self._turn = ledger.begin_turn(self._opened)
            if self._deadline.passed():
                self.stopped = "deadline"
            while not self.stopped:
                self.missing = []
                with ledger.change(self._opened):
                    self._for_a_while(hands)
                    self._check_surprises()
        except _TooManySurprises:
            self.stopped = "surprises"
        finally:
            os.close(top)
        return time.monotonic() - began

    def _for_a_while(self, hands):
        until = time.monotonic() + COMMIT_EVERY
        while not self.stopped and time.monotonic() < until:
            batch = self._next()
            if not batch:
                self.stopped = self.stopped or "nothing-left"
                return
            began, before = time.monotonic(), self.bytes
            for row, reading in hands.read(batch):
                self._keep(row, reading)
            self._write()
            self._fit_the_next(self.bytes - before, time.monotonic() - began)
            if self._deadline.passed():
                self.stopped = "deadline"
            elif self._is_lost():
                return

    def _fit_the_next(self, read, seconds):
        """Let a batch take a second: the threads begin anew for each, and nothing is committed within one."""
        if not self._rate and seconds > 0:
            self._batch_bytes = max(_LEAST_BYTES, min(int(read / seconds), _MOST_BYTES))

    def _next(self):
        """What is read next, and never what this run has read already."""
        left = None if self._quota is None else self._quota - self.bytes
        rows = self._rows(_FRESH, NEVER, _BATCH)
        if not rows and self._deviants > 0:
            rows = self._rows(_DEVIANT, ledger.FIRST_OF_FORM, self._turn, min(_BATCH, self._deviants))
            self._deviants = self._deviants - len(rows) if rows else 0
        if not rows:
            if left is not None and left <= 0:
                self.stopped = "quota"
                return ()
            rows = self._rows(_OLDEST, self._turn, _BATCH)
            return _cut(rows, self._batch_bytes if left is None else min(left, self._batch_bytes))
        return _cut(rows, self._batch_bytes)

    def _rows(self, which, *values):
        return [Row(*fields) for fields in self._opened.execute(_SELECT + which, values)]

    def _keep(self, row, reading):
        self.objects += 1
        self.bytes += reading.size
        judged = judge(row, reading)
        if judged.word:
            good = self._turn if judged.has_baseline else row.good
            ledger.deviate(self._opened, row, self._turn, good, judged)
        if judged.has_baseline:
            self._found_as_it_was(row, reading, judged)
        elif judged.word in ledger.DEVIATIONS_OF_CONTENT and row.verdict < FIRST_DEVIATION:
            self.surprises += 1
            if judged.word == "missing":
                self.missing.append([row.key, row.path])

    def _found_as_it_was(self, row, reading, judged):
        """The content is the archive's or our own earlier one, whatever form it has."""
        proof = row.read_with(reading.digests["sha256"])
        sound = None if judged.word else judged.sound
        self._read.append((self._turn, storable(reading.mtime_ns), proof, sound, row.key))
        if sound is not None and row.verdict >= FIRST_DEVIATION:
            self._opened.execute("DELETE FROM deviations WHERE key = ?", (row.key,))
        if len(self._read) >= _AT_ONCE:
            self._write()

    def _write(self):
        """Write what was found as it was, many at once: one by one, each would wait for the threads that read."""
        self._opened.executemany(_READ, self._read)
        self._read = []

    def _check_surprises(self):
        if self._is_lost():
            raise _TooManySurprises

    def _is_lost(self):
        return self.surprises >= LEAST_SURPRISES and self.surprises > self._lost_share * self.objects


class _TooManySurprises(Exception):
    """What was read since the last commit is not believed."""


class _Hands:
    """A few threads that read: hashing runs outside the interpreter's lock. Whoever asks is one of them."""

    def __init__(self, readers):
        self._readers = readers

    def read(self, rows):
        """Give each row with its reading, as they come; what there was no time for is left out."""
        self._ahead = Ahead(rows, lambda row: self._readers[0].open(row.path))
        self._done: Deque[Tuple[Row, Any]] = deque()
        self._errors: List[Exception] = []
        count = max(1, min(len(self._readers), len(rows), sum(row.size for row in rows) // _WORTH_A_THREAD))
        others = [threading.Thread(target=self._help, args=(one,), daemon=True) for one in self._readers[1:count]]
        for other in others:
            other.start()
        try:
            for one in self._share(self._readers[0]):
                yield one
                while self._done:
                    yield self._done.popleft()
        finally:
            self._ahead.end()
            for other in others:
                other.join()
            self._ahead.end()
        yield from self._done
        if self._errors:
            raise self._errors[0]

    def _help(self, reader):
        try:
            for one in self._share(reader):
                self._done.append(one)
        except Exception as error:  # noqa: BLE001 (raised again by the thread that waits for this one)
            self._errors.append(error)
            self._ahead.end()

    def _share(self, reader):
        for row, opened in iter(self._ahead.next, None):
            # Of content that was sound before, digest and structure are proven by one and the same.
            sound = row.sha256 if row.verdict < FIRST_DEVIATION else None
            reading = reader.read_opened(opened, algorithms(row), sound)
            if reading is None:
                return
            yield row, reading


def _cut(rows, limit):
    """As many as fit into a batch, and at least one."""
    total = 0
    for position, row in enumerate(rows):
        total += row.size
        if total > limit:
            return rows[: max(1, position)]
    return rows
