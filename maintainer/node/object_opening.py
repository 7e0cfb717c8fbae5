"""An object's file, open for one reading that leaves the page cache as it was, and the next few opened ahead.

What the next ones begin with is fetched from the disk while these are hashed.
"""

import contextlib
import os
import stat
import time
from collections import deque
from typing import Any, Deque

from maintainer.node import page_cache

AHEAD = 8
"""So many objects are open before their turn, however many threads read."""
_WAIT = 0.001


class Buffers:
    """As many as are in use at once; each takes `BYTES`, of which only what is read into it takes memory."""

    BYTES = 1024 * 1024

    def __init__(self):
        self._free: Deque[memoryview] = deque()

    def take(self):
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(bytearray(self.BYTES))

    def give_back(self, buffer):
        self._free.append(buffer)


class Opened:
    """`status` is of when it was opened. What it begins with is in the `buffer` where it was in the page cache then.

    The rest is being fetched: whoever reads it next finds it there, or waits for less.
    """

    def __init__(self, descriptor, buffers):
        self.descriptor, self.buffer = descriptor, buffers.take()
        self._buffers, self._filled, self._was_cached = buffers, 0, True
        try:
            self.status = os.fstat(descriptor)
            self.is_file = stat.S_ISREG(self.status.st_mode)
            if self.is_file:
                self._look(self.status.st_size)
        except OSError:
            self.let_go()
            raise

    def _look(self, size):
        # Where the kernel finds that something is not there, it begins to fetch by itself, as well as it can.
        self._filled = page_cache.read(self.descriptor, self.buffer)
        held = self._filled >= min(size, len(self.buffer))
        self._was_cached = held and (size <= len(self.buffer) or page_cache.holds(self.descriptor, size))
        if not held:
            page_cache.fetch(self.descriptor, self._filled, len(self.buffer) - self._filled)

    def begin(self):
        """Have in the buffer what the file begins with, anew each time; answers how much that is."""
        filled, self._filled = self._filled, 0
        if filled == self.status.st_size:
            return filled
        os.lseek(self.descriptor, filled, os.SEEK_SET)
        return filled + self.read_on(filled)

    def read_on(self, filled=0):
        """Fill the rest of the buffer with what comes next; answers how much that was."""
        began, count = filled, 1
        while count and filled < len(self.buffer):
            count = os.readv(self.descriptor, [self.buffer[filled:]])
            filled += count
        return filled - began

    def fetch(self, offset):
        """Let the disk fetch what the buffer takes next."""
        if not self._was_cached:
            page_cache.fetch(self.descriptor, offset, len(self.buffer))

    def let_go(self):
        try:
            if not self._was_cached:
                page_cache.forget(self.descriptor)
        finally:
            self._buffers.give_back(self.buffer)
            os.close(self.descriptor)

    def drop(self):
        """Let go of it before its turn. What is on its way from the disk can only be dropped when it is there."""
        if not self._was_cached:
            with contextlib.suppress(OSError):
                self.begin()
        self.let_go()


class Ahead:
    """Has the next few of what is wanted open, for any number of threads, each of which takes what it opens."""

    def __init__(self, opening):
        self._opening, self._may_come = opening, True
        self._wanted: Deque[Any] = deque()
        self._opened: Deque[Any] = deque()

    def want(self, one):
        self._wanted.append(one)

    def close(self):
        """Nothing more is wanted."""
        self._may_come = False

    def next(self):
        """Give (one, opened), once there is one; None when there is no more."""
        while True:
            may_come = self._may_come
            while len(self._opened) < AHEAD and self._open_one():
                pass
            try:
                return self._opened.popleft()
            except IndexError:
                if not may_come:
                    return None
            time.sleep(_WAIT)

    def _open_one(self):
        try:
            one = self._wanted.popleft()
        except IndexError:
            return False
        self._opened.append((one, self._opening(one)))
        return True

    def end(self):
        """Drop those whose turn does not come any more."""
        self.close()
        self._wanted.clear()
        with contextlib.suppress(IndexError):
            while True:
                self._opened.popleft()[1].drop()
