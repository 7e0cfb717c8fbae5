"""How long something may still take, by a clock that nobody sets."""

import time
from datetime import timedelta


class Deadline:
    """An instant on the monotonic clock: a stepped wall clock does not move it."""

    def __init__(self, allowed: timedelta) -> None:
        self.allowed = allowed
        self._end = time.monotonic() + allowed.total_seconds()

    @property
    def left(self) -> float:
        """Seconds that remain, never below zero."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left == 0.0

    def __str__(self) -> str:
        return f"{self.allowed.total_seconds():g} s"
