"""Reading what is due of a store into its ledger, which is committed every few seconds: who is killed loses those."""

import os
import threading
import time
from typing import Sequence

from maintainer.node import store_ledger as ledger
from maintainer.node.object_reading import Reader
from maintainer.node.object_threads import Hands
from maintainer.node.store_due import Due
from maintainer.node.store_judging import judge
from maintainer.node.store_rows import FIRST_DEVIATION, NEVER, storable
from maintainer.node.store_surprises import are_everywhere

COMMIT_EVERY = 3.0
LEAST_SURPRISES = 20
"""So few are told one by one, whatever share they are of a small store."""
_AT_HAND = 256 * 1024 * 1024
"""So many bytes are asked for at once; of a limited rate, what a second brings."""
_AT_ONCE = 100
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
        self._turn = NEVER
        self._before: Sequence[int] = ()
        self.missing = []
        self._read, self._too_many = [], LEAST_SURPRISES

    def run(self):
        """Read until there is a reason to stop; answers in how many seconds."""
        began, top = time.monotonic(), self._store.open_top()
        pace = Pace(self._rate, self._deadline)
        readers = [Reader(self._store, top, self._deadline, pace) for _ in range(self._threads)]
        hands = Hands(readers, min(_AT_HAND, self._rate or _AT_HAND))
        try:
            with ledger.change(self._opened):
                self._turn = ledger.begin_turn(self._opened)
            self._due = self._what_is_due(Due(self._opened, self._turn, self._before), hands)
            if self._deadline.passed():
                self.stopped = "deadline"
            while not self.stopped:
                self.missing = []
                with ledger.change(self._opened):
                    self._for_a_while(hands)
                    self._check_surprises(readers[0])
        except _TooManySurprises:
            self.stopped = "surprises"
        finally:
            os.close(top)
        return time.monotonic() - began

    def _for_a_while(self, hands):
        for row, reading in hands.read(self._until(time.monotonic() + COMMIT_EVERY)):
            self._keep(row, reading)
        self._write()
        if hands.asked or (not self.stopped and self._deadline.passed()):
            self.stopped = "deadline"

    def _until(self, moment):
        """Give what is read before the next commit."""
        while not self.stopped and time.monotonic() < moment and not self._is_lost():
            row = next(self._due, None)
            if row is None:
                self.stopped = self.stopped or "nothing-left"
                return
            yield row

    def _what_is_due(self, due, hands):
        yield from due.urgent()
        for row in due.oldest():
            if self._quota is not None and self.bytes + hands.asked >= self._quota:
                self.stopped = "quota"
                return
            yield row

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

    def _check_surprises(self, reader):
        """Where much deviates in one place alone, it is told; looked for again when it is twice as much."""
        if self._is_lost():
            if are_everywhere(self._opened, reader, self._turn, self._lost_share):
                raise _TooManySurprises
            self._too_many = 2 * self.surprises

    def _is_lost(self):
        return self.surprises >= self._too_many and self.surprises > self._lost_share * self.objects


class _TooManySurprises(Exception):
    """What was read since the last commit is not believed."""
