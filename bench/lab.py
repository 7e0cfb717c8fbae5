"""Two nodes of the tests' lab for a benchmark (root on Debian): booted for it, and gone when it ends."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bench.table import Row, not_measured

if TYPE_CHECKING:
    from tests.lab.lab import Lab


def on_lab(name: str, measured: Callable[["Lab"], Iterator[Row]]) -> Iterator[Row]:
    """Measure on them; where there can be none, a row of this name says why."""
    from tests.lab.image import NoLabError  # noqa: PLC0415 (the lab is imported by such a benchmark's process alone)
    from tests.lab.lab import Lab  # noqa: PLC0415 (see above)

    try:
        lab = Lab.up()
    except NoLabError as why:
        yield not_measured(name, str(why))
        return
    try:
        yield from measured(lab)
    finally:
        lab.down()
