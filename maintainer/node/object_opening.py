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
AT_ONCE = 1024 * 1024
"""So many bytes of an object are read, and fetched, at once."""
_WAIT = 0.001


class Opened:
    """`status` is of when it was opened. What was not in the page cache then is being fetched from the disk.

    Whoever reads it next finds it there, or waits for less.
    """

    def __init__(self, descriptor):
        self.descriptor, self._was_cached, self._is_read = descriptor, True, False
        try:
            self.status = os.fstat(descriptor)
            self.is_file = stat.S_ISREG(self.status.st_mode)
            if self.is_file:
                self._was_cached = page_cache.holds(descriptor, self.status.st_size - 1)
                self.fetch(0)
        except OSError:
            os.close(descriptor)
            raise

    def begin(self, buffer):
        """Have in the buffer what the file begins with, anew each time; answers how much that is."""
        filled = 0
        if self._was_cached and not self._is_read:
            filled = page_cache.read(self.descriptor, buffer)
            self._was_cached = self._is_held(filled, len(buffer))
        self._is_read = True
        if filled == self.status.st_size:
            return filled
        os.lseek(self.descriptor, filled, os.SEEK_SET)
        return filled + self.read_on(buffer, filled)

    def _is_held(self, filled, most):
        size = self.status.st_size
        return filled >= min(size, most) and (size <= most or page_cache.holds(self.descriptor, size // 2))

    def read_on(self, buffer, filled=0):
        """Fill the rest of the buffer with what comes next; answers how much that was."""
        began, count = filled, 1
        while count and filled < len(buffer):
            count = os.readv(self.descriptor, [buffer[filled:]])
            filled += count
        return filled - began

    def fetch(self, offset):
        """Let the disk fetch what comes next, as much as is read at once."""
        if not self._was_cached:
            page_cache.fetch(self.descriptor, offset, AT_ONCE)

    def let_go(self):
        try:
            if not self._was_cached:
                page_cache.forget(self.descriptor)
        finally:
            os.close(self.descriptor)

    def drop(self):
        """Let go of it before its turn. What is on its way from the disk can only be dropped when it is there."""
        if not self._was_cached:
            with contextlib.suppress(OSError):
                os.pread(self.descriptor, AT_ONCE, 0)
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
