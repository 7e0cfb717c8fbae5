"""The engine's promises, on nodes in memory: what is performed, in which order, what is recorded, what is not done."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, Exit, LogError
from maintainer.intervention_log.journal import Journal
from maintainer.intervention_log.record import Kind
from maintainer.model.action import Action, Sql
from maintainer.model.outcome import NotRun, Reason
from tests.fakes.fake_fleet import NOW, FakeNode
from tests.unit.engine_bench import OLD, endings, one_node


def test_a_dry_run_performs_nothing(tmp_path: Path) -> None:
    """A plan lists what is due and leaves every node as it was."""
    node = FakeNode(archive_started=OLD, dead_rows={"t": 50}, old_files=3)
    plan = one_node(tmp_path, node).plan()
    assert [len(entry.steps) for entry in plan.entries] == [3, 1, 1]
    assert node.performed == []


def test_a_run_does_what_the_plan_said_and_then_nothing_is_due(tmp_path: Path) -> None:
    """The actions performed are exactly the planned ones, in order; a second run does nothing."""
    node = FakeNode(archive_started=OLD, dead_rows={"t": 50, "u": 90}, old_files=3)
    night = one_node(tmp_path, node)
    planned = [step.action for entry in night.plan().entries for step in entry.steps]
    report = night.run()
    assert node.performed == planned
    assert {ending for _, ending in endings(report)} == {"done"}
    assert report.exit() is Exit.FINE
    assert endings(night.run(run="r2")) == []
    assert node.performed == planned


@pytest.mark.fault(1)
def test_every_effect_has_its_intent_before_it(tmp_path: Path) -> None:
    """When an action begins, its intent is already in the log, and every intent ends up with exactly one outcome."""
    seen: list[str] = []

    def look_at_the_log(_action: Action) -> None:
        seen.append(night.records()[-1].kind.value)

    night = one_node(tmp_path, FakeNode(archive_started=OLD, old_files=1, trouble=look_at_the_log))
    night.run()
    assert seen == ["intent"] * 4
    records = night.records()
    intents = [record.step for record in records if record.kind is Kind.INTENT]
    outcomes = [record.step for record in records if record.kind is Kind.OUTCOME]
    assert sorted(intents) == sorted(outcomes)
    assert len(set(intents)) == 4


def test_a_step_that_changed_nothing_has_failed(tmp_path: Path) -> None:
    """An action that answers well but leaves its subject due ends as failed."""
    node = FakeNode(dead_rows={"t": 50}, when_looked_at=lambda node: node.dead_rows.update(t=50))
    report = one_node(tmp_path, node, tasks=["db-vacuum"]).run()
    assert endings(report) == [('vacuum "public"."t"', "failed")]
    assert "still due" in report.tasks[0].steps[0].ending.error
    assert report.exit() is Exit.TROUBLE


def test_one_table_that_fails_does_not_cost_the_others_their_night(tmp_path: Path) -> None:
    """A failed statement ends its own subject only."""
    node = FakeNode(dead_rows={"t": 50, "u": 90})

    def locked(action: Action) -> None:
        if isinstance(action, Sql) and '"u"' in action.text:
            raise ActionFailed("the lock was not had in time")

    node.trouble = locked
    report = one_node(tmp_path, node, tasks=["db-vacuum"]).run()
    assert [ending for _, ending in endings(report)] == ["failed", "done"]


@pytest.mark.parametrize("minutes", [17, 19])
def test_nothing_starts_that_cannot_end_inside_the_window(tmp_path: Path, minutes: int) -> None:
    """Drain, restart and proof (6 min, 10 min and 15 s, 2 min) are admitted together or not at all."""
    node = FakeNode(archive_started=OLD)
    report = one_node(tmp_path, node, tasks=["service-restart"], left=timedelta(minutes=minutes)).run()
    fits = minutes > 18
    assert [ending for _, ending in endings(report)] == ["done" if fits else "not-run"] * 3
    assert bool(node.performed) is fits


@pytest.mark.fault(5)
def test_no_intent_no_action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first intent cannot be written, the node is not touched."""
    real = Journal.append

    def no_intents(self: Journal, kind: Kind, *args: Any, **fields: Any) -> Any:
        if kind is Kind.INTENT:
            raise LogError("no space left")
        return real(self, kind, *args, **fields)

    monkeypatch.setattr(Journal, "append", no_intents)
    node = FakeNode(archive_started=OLD)
    with pytest.raises(LogError):
        one_node(tmp_path, node).run()
    assert node.performed == []


@pytest.mark.fault(5)
def test_a_record_that_is_missing_ends_the_run_also_where_nothing_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was no room for what the plan file forbids, and there is again: the log has a gap, and that is said."""
    real, lost = Journal.append, list[Kind]()

    def full_for_a_moment(self: Journal, kind: Kind, *args: Any, **fields: Any) -> Any:
        if kind is Kind.OUTCOME and not lost:
            lost.append(kind)
            raise LogError("no space left")
        return real(self, kind, *args, **fields)

    node = FakeNode()
    night = one_node(tmp_path, node, tasks=["db-vacuum"])
    approved = night.plan()
    node.dead_rows["t"] = 90
    monkeypatch.setattr(Journal, "append", full_for_a_moment)
    with pytest.raises(LogError, match="no space left"):
        night.run(approved=approved)


@pytest.mark.fault(45)
def test_a_node_whose_clock_is_off_gets_no_step(tmp_path: Path) -> None:
    """Ten minutes apart, the window may be over on the node: nothing starts there, and that is said."""
    node = FakeNode(old_files=1, clock_ahead=timedelta(minutes=10))
    report = one_node(tmp_path, node, tasks=["disk-cleanup"]).run()
    ending = report.tasks[0].steps[0].ending
    assert isinstance(ending, NotRun)
    assert ending.reason is Reason.CLOCK_STEPPED
    assert "10 min ahead" in ending.detail
    assert report.exit() is Exit.REFUSED


def test_what_was_approved_is_what_runs(tmp_path: Path) -> None:
    """With a plan: approved and still due runs, newly due waits, no longer due is recorded."""
    node = FakeNode(dead_rows={"old": 50, "gone": 60})
    night = one_node(tmp_path, node, tasks=["db-vacuum"])
    plan = night.plan()
    node.dead_rows = {"old": 55, "new": 70}
    report = night.run(approved=plan)
    by_title = {done.step.title: done.ending for done in report.tasks[0].steps}
    assert by_title['vacuum "public"."old"'].ending == "done"
    assert by_title['vacuum "public"."new"'] == NotRun(
        reason=Reason.NOT_APPROVED, detail="it became due after the plan was made"
    )
    assert by_title['vacuum "public"."gone"'] == NotRun(reason=Reason.NO_LONGER_DUE)
    assert [action.text for action in node.performed if isinstance(action, Sql)] == [
        plan.entries[0].steps[1].action.text
    ]


def test_every_waits_for_its_time_and_a_rest_is_not_a_look(tmp_path: Path) -> None:
    """A task with `every` looks again only after that time since it last looked, not since it last rested."""
    node = FakeNode()
    night = one_node(tmp_path, node, tasks=["db-vacuum"], params={"every": "1d"})
    night.run()
    node.dead_rows, queries = {"t": 90}, node.queries
    for hours in (10, 20):
        night.now = NOW + timedelta(hours=hours)
        assert night.run(run=f"r{hours}").tasks[0].answer.because.startswith("done on")
    assert node.queries == queries
    night.now, node.clock_ahead = NOW + timedelta(hours=24), timedelta(hours=24)
    assert endings(night.run(run="r24")) == [('vacuum "public"."t"', "done")]
