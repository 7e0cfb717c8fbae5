"""One lab for all tests of a run; on one worker; each finds the nodes as they were when they were loaded."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.guard import Night, guarded
from tests.lab.image import NoLabError
from tests.lab.lab import Lab
from tests.lab.standing import Standing
from tests.lab.workstations import Watch, watched

SLICES, SIZE = 3000, 64


@pytest.fixture(scope="session")
def standing(request: pytest.FixtureRequest) -> Iterator[Standing]:
    """Hold the lab until the last test has used it."""
    terminal = request.config.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        with terminal.global_and_fixture_disabled():
            sys.stderr.write(f"\nlab: {text}\n")

    held = Standing(say, SLICES, SIZE)
    yield held
    held.down()


@pytest.fixture
def lab(standing: Standing, request: pytest.FixtureRequest) -> Lab:
    """Two nodes that serve the same images. Skipped where there can be none; under CI that is a failure."""
    try:
        return standing.lend(request.node.name)
    except NoLabError as error:
        pytest.fail(str(error)) if os.environ.get("CI") else pytest.skip(str(error))


@pytest.fixture(autouse=True)
def watch(request: pytest.FixtureRequest) -> Iterator[Watch | None]:
    """Ask both archives ten times a second as long as a test has them: never is there none that serves.

    A test that takes both out of service itself says why: `both_down(why)`.
    """
    if "lab" not in request.fixturenames:
        yield None
        return
    with watched(request.getfixturevalue("lab")) as watch:
        yield watch
    assert request.node.get_closest_marker("both_down") or watch.both_out() == []


@pytest.fixture
def night(lab: Lab, tmp_path: Path) -> Iterator[Night]:
    """One night on both nodes, with a controller of its own; afterwards what must always hold is checked."""
    with guarded(lab, tmp_path) as one:
        yield one
