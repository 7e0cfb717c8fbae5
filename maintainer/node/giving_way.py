"""Giving way to the archive: who reads its store for a check stops while images move over its DICOM port.

The measure is bytes over that port, both ways, and not open associations: an idle one costs nothing, and some stay open
for days. Nor is it the machine's load or I/O pressure: of those, most is our own reading.
"""

import threading
import time
from collections import deque
from typing import Any, Deque, Tuple

from maintainer.node.envelope import Failed
from maintainer.node.observe_connections import established
from maintainer.node.port_traffic import PortTraffic

NO_PAUSE = 10**12
"""Bytes a second that move over no port: whoever pauses above so many wants no pause, whatever can be told."""
LOOK_EVERY = 0.25
OVER = 2.0
"""Seconds over which the rate is taken: one image now and then is no work, and a pause ends so long after the last."""


class GivingWay:
    """Pauses whoever asks one of its deadlines whether it has passed; without a port, never. Leave it when all is read.

    `seconds` and `times`: how long and how often so far. `because`: `images-move`, or `associations-open` where the
    kernel does not tell what moves (before 4.1, or without tcp_diag); "" for no pause.
    """

    def __init__(self, port, above):
        self.seconds, self.times, self.because = 0.0, 0, ""
        self._port, self._above = port, above
        self._traffic: Any = None if port is None or above >= NO_PAUSE else PortTraffic(port)
        self._lock = threading.Lock()
        self._next = self._looked = time.monotonic()
        self._is_first, self._was_busy = True, False
        self._moved: Deque[Tuple[float, float]] = deque()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._traffic is not None:
            self._traffic.close()

    def before(self, deadline):
        return _Polite(deadline, self)

    def wait(self, deadline):
        """Return once the archive has nothing much to do, or the time is over; other threads wait behind this one."""
        if self._traffic is None or time.monotonic() < self._next:
            return
        with self._lock:
            if time.monotonic() >= self._next and not deadline.passed():
                self._wait(deadline)

    def _wait(self, deadline):
        if self._is_first:
            # What moves shows between two looks, and nothing may be read before it is known.
            self._is_first = False
            self._is_busy()
            time.sleep(LOOK_EVERY)
        began = time.monotonic()
        busy = self._is_busy()
        self.times += busy and not self._was_busy
        while busy and not deadline.passed():
            time.sleep(LOOK_EVERY)
            self.seconds, began = self.seconds + time.monotonic() - began, time.monotonic()
            busy = self._is_busy()
        self._was_busy = busy
        if not busy:
            self._next = time.monotonic() + LOOK_EVERY

    def _is_busy(self):
        try:
            why, busy = self._asked()
        except OSError as error:
            # Whoever reads asks in the middle of a file, which has nothing to do with this.
            what = "it cannot be told whether the archive moves images: {}".format(error.strerror or error)
            raise Failed(what, "see the node's /proc and how many files the agent's user may open") from error
        self.because = why if busy else self.because
        return busy

    def _asked(self):
        moved = self._traffic.moved()
        if moved is None:
            return "associations-open", established(self._port) > 0
        return "images-move", self._rate(moved) > self._above

    def _rate(self, moved):
        """Bytes a second over the last seconds; of what moved since a look longer ago, the share that is theirs."""
        now = time.monotonic()
        gap, self._looked = now - self._looked, now
        self._moved.append((now, moved * min(1.0, OVER / max(gap, LOOK_EVERY))))
        while self._moved[0][0] < now - OVER:
            self._moved.popleft()
        return sum(count for _, count in self._moved) / OVER


class _Polite:
    """A deadline that first gives way, whenever it is asked whether it has passed."""

    def __init__(self, deadline, giving_way):
        self._deadline, self._giving_way = deadline, giving_way

    def left(self):
        return self._deadline.left()

    def passed(self):
        self._giving_way.wait(self._deadline)
        return self._deadline.passed()
