"""Which boot of a node a run has met, so that a reboot in the middle of a step is told from a lost link."""

import contextlib
from collections.abc import Callable

from maintainer.errors import CouldNotLook
from maintainer.running.checkup import greet
from maintainer.running.ports import Observer

RETURNING = (0.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds before each look for a node whose link was lost: a small server boots in half a minute."""


class Boot:
    """One node's, in one run."""

    def __init__(self) -> None:
        self._met: str | None = None

    def met(self, boot_id: object) -> None:
        self._met = boot_id if isinstance(boot_id, str) else None

    def has_changed(self, observer: Observer, pause: Callable[[float], None], stopped: Callable[[], bool]) -> bool:
        """Wait a little for the node to say which boot it is in; silence is no proof, nor is a person who stops."""
        for seconds in RETURNING if self._met else ():
            if stopped():
                return False
            pause(seconds)
            with contextlib.suppress(CouldNotLook):
                return greet(observer).boot_id not in {None, self._met}
        return False
