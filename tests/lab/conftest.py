"""One lab for all tests of a run: they stand in one group of workers, and each leaves the nodes as it found them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.guard import Night, guarded
from tests.lab.image import why_not
from tests.lab.lab import Lab

SLICES = 200


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Two nodes that serve the same images. Skipped where there can be none; under CI that is a failure."""
    if why := why_not():
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    up = Lab.up()
    try:
        up.load(SLICES)
        yield up
    finally:
        up.down()


@pytest.fixture
def night(lab: Lab, tmp_path: Path) -> Iterator[Night]:
    """One night on both nodes, with a controller of its own; afterwards what must always hold is checked."""
    with guarded(lab, tmp_path) as one:
        yield one
