"""A person or systemd asks the run to end: the first time politely, the second time at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

REQUESTS = (signal.SIGINT, signal.SIGTERM)
FINISHING = "finishing what has begun; press Ctrl-C again to cut the links (steps under way become unknown)"
CUT = "links cut; what was under way is recorded as unknown and looked at by the next run"
LOOKING = "links cut; nothing was changed, and what was not yet seen is shown as such"


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
    def on_signals(self, say: Callable[[str], None], *, looking_only: bool = False) -> Iterator[None]:
        """Listen to SIGINT, SIGTERM and SIGHUP; works in the main thread only. `looking_only`: nothing to be finished.

        SIGHUP is a terminal or an SSH session that went away; under `nohup` it stays ignored.
        """

        def asked(_number: int, _frame: FrameType | None) -> None:
            first = not self.asked
            self.ask()
            if looking_only and first:
                self.ask()
            say(LOOKING if looking_only else FINISHING if first else CUT)

        heeded = REQUESTS if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*REQUESTS, signal.SIGHUP)
        before = {number: signal.signal(number, asked) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
