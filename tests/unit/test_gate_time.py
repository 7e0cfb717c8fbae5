"""How long a step may take: its own time, and no longer than the window lasts."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.model.action import Action, RestartServices, Sql
from maintainer.model.plan import Risk, Step
from maintainer.model.window import Occurrence
from maintainer.running.gate import Gate
from maintainer.running.stop import Stop
from tests.fakes.fake_fleet import NOW, FakeNode
from tests.unit.engine_bench import Night, one_node

LEFT = timedelta(minutes=20)
VACUUM = Sql(text="VACUUM t")
RESTART = RestartServices(services=("archive",))


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return one_node(tmp_path, FakeNode(), tasks=["db-vacuum"])


@pytest.fixture
def gate(night: Night) -> Iterator[Gate]:
    """A gate twenty minutes before its window closes."""
    window = Occurrence(window="night", day=NOW.date(), opens=NOW - timedelta(hours=1), closes=NOW + LEFT)
    with night.log() as log:
        yield Gate(
            inventory=night.inventory,
            log=log,
            look=night.fleet.look,
            clock=lambda: NOW,
            stop=Stop(),
            open_windows={"night": window},
            started_wall=NOW,
            controller="c1",
        )


@pytest.mark.parametrize(
    ("action", "timeout", "allowed"),
    [
        (VACUUM, timedelta(minutes=5), timedelta(minutes=5)),
        (VACUUM, timedelta(hours=2), LEFT),
        (RESTART, timedelta(hours=2), timedelta(hours=2)),
    ],
)
def test_a_statement_ends_with_its_window(
    night: Night, gate: Gate, action: Action, timeout: timedelta, allowed: timedelta
) -> None:
    """What the database is told as its limit is the rest of the window at most; a restart is never cut short."""
    step = Step(subject="s", title="t", reason="r", action=action, risk=Risk.SLOWER, timeout=timeout)
    assert gate.time_for(night.assignments[0], step) == allowed
