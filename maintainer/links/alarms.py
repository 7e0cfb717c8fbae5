"""What is done when something takes too long: one thread waits for all of them, where a timer each would cost a thread.

A look makes dozens of short calls on each of hundreds of nodes, and next to none of them is ever too late.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Alarm:
    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call


class Alarms:
    """Calls what was not called off in time, each in a thread of its own: it may have to wait for a dead line."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._set: list[tuple[float, int, _Alarm]] = []
        self._number = itertools.count()

    @contextmanager
    def unless_done_in(self, seconds: float, call: Callable[[], object]) -> Iterator[None]:
        """Make the call after so many seconds, unless the block has ended by then; it may end while the call runs."""
        alarm = _Alarm(call)
        self._add(time.monotonic() + seconds, alarm)
        try:
            yield
        finally:
            alarm.call = None

    def _add(self, at: float, alarm: _Alarm) -> None:
        with self._changed:
            if not self._set:
                threading.Thread(target=self._wait, name="alarms", daemon=True).start()
            heapq.heappush(self._set, (at, next(self._number), alarm))
            if self._set[0][2] is alarm:
                self._changed.notify()

    def _wait(self) -> None:
        """Go through what is set, the earliest first, and end when there is no more."""
        with self._changed:
            while self._set:
                at, _, alarm = self._set[0]
                left = at - time.monotonic()
                if alarm.call and left > 0:
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._set)
                if call := alarm.call:
                    threading.Thread(target=call, daemon=True).start()


ALARMS = Alarms()
"""Those of this process."""
