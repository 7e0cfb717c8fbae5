"""How far something is that takes its time."""

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """`share` is of the present phase, from 0 to 1; None where nobody can tell."""

    phase: str
    share: float | None = None

    def __str__(self) -> str:
        """Say it in a few words.

        >>> str(Progress("scanning heap", 0.456)), str(Progress("vacuuming indexes"))
        ('scanning heap 46 %', 'vacuuming indexes')
        """
        return self.phase if self.share is None else f"{self.phase} {self.share * 100:.0f} %"


Tell = Callable[[Progress], None]
"""Called from another thread than the one that waits for the end; must not raise."""


def to_nobody(_progress: Progress) -> None:
    """Tell nobody."""
