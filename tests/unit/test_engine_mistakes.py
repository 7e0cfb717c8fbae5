"""The engine's own mistakes, and a state folder that fails: nothing ends as if the work had been done."""

from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from maintainer.errors import Exit, LogError
from maintainer.intervention_log.journal import Journal
from maintainer.intervention_log.pseudonyms import Pseudonyms
from maintainer.intervention_log.record import Kind
from maintainer.model.plan import Unseen
from maintainer.running.events import Event, StepStarted
from maintainer.running.execute import Executor
from maintainer.running.observe import Eyes
from tests.fakes.fake_fleet import FakeFleet, FakeNode
from tests.unit.engine_bench import Night, endings, one_node


def one_by_one(work: Callable[[Any], Any], items: Iterable[Any], _at_most: int) -> list[Any]:
    return [work(item) for item in items]


class DeafScreen(list[Event]):
    """A view that breaks when a step starts."""

    def append(self, event: Event, /) -> None:
        if isinstance(event, StepStarted):
            raise BrokenPipeError


def test_a_view_that_breaks_leaves_no_step_without_an_ending(tmp_path: Path) -> None:
    """What had an intent gets an outcome, and the run does not call itself fine."""
    night = one_node(tmp_path, FakeNode(old_files=1), tasks=["disk-cleanup"])
    night.events = DeafScreen()
    report = night.run()
    assert [ending for _, ending in endings(report)] == ["unknown"]
    assert report.exit() is Exit.UNKNOWN
    assert [record.ending for record in night.records() if record.kind == "outcome"] == ["unknown"]


def test_steps_that_a_mistake_kept_from_starting_are_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps are due and the engine breaks before the first: the task is unseen, the run ends with 3."""

    def broken(*_given: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Executor, "perform", broken)
    report = one_node(tmp_path, FakeNode(old_files=1), tasks=["disk-cleanup"]).run()
    assert isinstance(report.tasks[0].answer, Unseen)
    assert report.exit() is Exit.UNKNOWN


def test_a_dry_run_that_cannot_keep_a_name_secret_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder that cannot be written is the log's error, not a mistake of the program on each node."""
    state = tmp_path / "not-a-folder"
    night = one_node(state, FakeNode(old_files=1), tasks=["disk-cleanup"])

    def look(*_given: object) -> None:
        state.write_text("in the way")
        Pseudonyms(state).of("object", "1.2.3")

    monkeypatch.setattr(Eyes, "look_at_all", look)
    with pytest.raises(LogError, match="not-a-folder"):
        night.plan()


def test_a_log_that_fails_on_one_node_stops_all_before_their_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for the first node's record only: the other one, though it could write again, begins nothing."""
    fleet, real = FakeFleet({name: FakeNode(old_files=1) for name in ("a", "b")}), Journal.append
    failed = Flag()

    def full_once(self: Journal, kind: Kind, *given: Any, **fields: Any) -> Any:
        if kind is Kind.INTENT and not failed.is_set():
            failed.set()
            raise LogError("no space left")
        return real(self, kind, *given, **fields)

    monkeypatch.setattr(Journal, "append", full_once)
    night = Night(state=tmp_path, fleet=fleet, tasks=["disk-cleanup"])
    monkeypatch.setattr("maintainer.running.shift.in_parallel", one_by_one)
    with pytest.raises(LogError, match="no space left"):
        night.run()
    assert [node.performed for node in fleet.nodes.values()] == [[], []]
    assert [record.reason for record in night.records() if record.kind == "outcome"] == ["log-not-writable"]
