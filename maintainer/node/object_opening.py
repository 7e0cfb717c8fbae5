"""An object's file, open for one reading that leaves the page cache as it was, and the next few opened ahead.

What the next ones begin with is fetched from the disk while these are hashed.
"""

import contextlib
import os
import stat
import threading
from collections import deque
from typing import Any, Deque

from maintainer.node import page_cache

AHEAD = 8
"""So many objects are open before their turn, however many threads read."""


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
    """Gives each of `wanted` with what opening it gave, to any number of threads, and has the next few open."""

    def __init__(self, wanted, opening):
        self._wanted, self._opening = iter(wanted), opening
        self._lock = threading.Lock()
        self._ahead: Deque[Any] = deque()

    def next(self):
        """Give (one, opened); None when there is no more."""
        is_more = True
        while is_more or self._ahead:
            while is_more and len(self._ahead) < AHEAD:
                is_more = self._open_one()
            with contextlib.suppress(IndexError):
                return self._ahead.popleft()
        return None

    def _open_one(self):
        with self._lock:
            one = next(self._wanted, None)
        if one is not None:
            self._ahead.append((one, self._opening(one)))
        return one is not None

    def end(self):
        """Drop those whose turn does not come any more."""
        with self._lock:
            self._wanted = iter(())
        with contextlib.suppress(IndexError):
            while True:
                self._ahead.popleft()[1].drop()
