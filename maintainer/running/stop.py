"""A person or systemd asks the run to end: the first time politely, the second time at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


class Stop:
    """Asked once: what has begun is finished, nothing new starts. Asked twice: the links are cut and said so."""

    def __init__(self) -> None:
        self._asked = Event()
        self._abandon: list[Callable[[], None]] = []

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def on_abandon(self, cut: Callable[[], None]) -> None:
        self._abandon.append(cut)

    def ask(self) -> None:
        if not self.asked:
            self._asked.set()
            return
        for cut in self._abandon:
            cut()

    @contextmanager
    def on_signals(self, say: Callable[[str], None]) -> Iterator[None]:
        """Listen to SIGINT and SIGTERM while a run goes on; works in the main thread only."""

        def asked(_number: int, _frame: FrameType | None) -> None:
            first = not self.asked
            self.ask()
            say(
                "finishing what has begun; press Ctrl-C again to cut the links (steps under way become unknown)"
                if first
                else "links cut; what was under way is recorded as unknown and looked at by the next run"
            )

        before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
