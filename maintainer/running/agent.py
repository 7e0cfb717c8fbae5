"""The agent's heartbeat: notice that a window has opened, and run it once.

`schedule` only beats. Its jobs put windows into a queue and do nothing else: a job that raises would silence all later
ones, and under a local zone it falls silent for an hour when summer time ends, so the process keeps UTC.
"""

from collections import deque
from collections.abc import Callable, Mapping

import schedule
import structlog

from maintainer.model.window import Occurrence

LOG = structlog.get_logger(__name__)
BEAT_SECONDS = 30


class Agent:
    """Runs each occurrence of each window once, in the order in which they open.

    `open_windows` answers what is open now; `run_window` does one window's work and keeps its own troubles to itself.
    """

    def __init__(
        self, open_windows: Callable[[], Mapping[str, Occurrence]], run_window: Callable[[Occurrence], None]
    ) -> None:
        self._open_windows, self._run_window = open_windows, run_window
        self._seen: deque[Occurrence] = deque(maxlen=1000)
        self._waiting: deque[Occurrence] = deque()
        self._heart = schedule.Scheduler()
        self._heart.every(BEAT_SECONDS).seconds.do(self.beat)

    def beat(self) -> None:
        """Queue what has opened since the last beat. Never raises: the next beat must come."""
        try:
            opened = [one for one in self._open_windows().values() if one not in self._seen]
        except Exception:
            LOG.exception("the calendar could not be read; the next beat tries again")
            return
        for occurrence in sorted(opened, key=lambda one: one.opens):
            self._seen.append(occurrence)
            self._waiting.append(occurrence)

    def turn(self) -> float:
        """Let the heart beat if it is time, run what waits, and answer how many seconds to rest."""
        self._heart.run_pending()
        while self._waiting:
            self._run_window(self._waiting.popleft())
        return max(0.0, min(self._heart.idle_seconds or 0.0, BEAT_SECONDS))
