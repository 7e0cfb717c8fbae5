"""A clinic whose statements have become slow while we work is left alone for a while, and that is told."""

from pathlib import Path

from maintainer.errors import Exit
from maintainer.model.action import Action
from maintainer.planning.slowdown import Timing, slowdown
from maintainer.running.breathing import PAUSES
from tests.fakes.fake_fleet import FakeNode
from tests.unit.engine_bench import Night, endings, one_node

TABLE = {"quoted": '"public"."t"', "oid": 1, "bytes": 8192, "rebuilds": None, "table": None}
THREE = {"t": 50, "u": 60, "v": 70}


def night_of(folder: Path, node: FakeNode) -> Night:
    return one_node(folder, node, tasks=["db-vacuum"])


def test_it_pauses_between_steps_longer_and_longer(tmp_path: Path) -> None:
    """Not after the last; everything is done all the same, and the slowness is told once."""
    node = FakeNode(dead_rows=dict(THREE), clinic_slower_times=3.5)
    night = night_of(tmp_path, node)
    report = night.run()
    assert [ending for _, ending in endings(report)] == ["done"] * 3
    assert sum(night.paused) >= sum(PAUSES[:2])
    assert sum(night.paused) < sum(PAUSES)
    (found,) = report.tasks[0].answer.findings
    assert (found.cause, found.subject, found.evidence["times"]) == ("clinic-slowed", "pacs-a", 3.5)
    assert report.exit() is Exit.TROUBLE


def test_a_clinic_as_fast_as_ever_is_no_reason_to_pause(tmp_path: Path) -> None:
    """Nor is one of which nothing is known."""
    night = night_of(tmp_path, FakeNode(dead_rows=dict(THREE)))
    report = night.run()
    assert sum(night.paused) < PAUSES[0]
    assert report.tasks[0].answer.findings == ()


def test_the_pause_is_kept_for_the_next_task(tmp_path: Path) -> None:
    """What a task's last statement did to the clinic counts before the next one; what cleans a folder does not wait."""
    node = FakeNode(dead_rows={"t": 50}, clinic_slower_times=3.5, old_files=3, relations=[TABLE])
    night = one_node(tmp_path, node, tasks=["db-vacuum", "disk-cleanup", "db-check"])
    begun: dict[str, float] = {}

    def begins(action: Action) -> None:
        begun.setdefault(action.kind, sum(night.paused))

    node.trouble = begins
    night.run()
    assert list(begun) == ["sql", "node-operation", "check-relations"]
    assert begun["node-operation"] - begun["sql"] < PAUSES[0] <= begun["check-relations"] - begun["sql"]


USUAL = {"a": Timing(1000, 2000.0, 1.0), "b": Timing(50, 50_000.0, 500.0)}


def test_like_is_compared_with_like() -> None:
    """More calls of a statement that is slow by nature are no slowdown; what is new or was reset tells nothing."""
    assert slowdown(USUAL, {**USUAL, "b": Timing(90, 90_000.0, 500.0)}) is None
    assert slowdown(USUAL, {**USUAL, "new": Timing(500, 500_000.0, 1.0)}) is None
    assert slowdown(USUAL, {"a": Timing(500, 90_000.0, 1.0)}) is None


def test_what_may_be_chance_or_nobody_notices_is_none() -> None:
    """A few calls, durations that vary much, and fractions of a millisecond."""
    assert slowdown(USUAL, {"a": Timing(1010, 3000.0, 1.0)}) is None
    assert slowdown({"a": Timing(1000, 2000.0, 100.0)}, {"a": Timing(1040, 2240.0, 100.0)}) is None
    assert slowdown({"a": Timing(1000, 10.0, 0.01)}, {"a": Timing(2000, 110.0, 0.1)}) is None
    assert slowdown(USUAL, {"a": Timing(1040, 2400.0, 1.0)}) == (5.0, 40)
