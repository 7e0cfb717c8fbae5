"""A step that no look can settle keeps the agent off its node until a person says how it ended."""

from pathlib import Path

from maintainer.errors import LinkLost
from maintainer.model.action import Sql
from maintainer.running.verdicts import settle
from tests.fakes.fake_fleet import FakeNode
from tests.unit.engine_bench import Night, answers, endings, one_node, raising


def unsettled(state: Path) -> tuple[Night, FakeNode]:
    node = FakeNode(dead_rows={"t": 50}, trouble=raising(LinkLost("gone"), on=Sql))
    night = one_node(state, node, tasks=["db-vacuum"])
    night.run()
    node.database_up, node.trouble = False, lambda _action: None
    return night, node


def test_a_dry_run_too_keeps_off_what_no_look_can_settle(tmp_path: Path) -> None:
    """Plan and run give the same answer, and the plan writes nothing."""
    night, _node = unsettled(tmp_path)
    before = len(night.records())
    plan = night.plan()
    assert len(night.records()) == before
    assert answers(plan) == answers(night.run(run="r2")) == {"pacs-a": "refuse"}
    assert "is not known: looking again did not tell" in plan.entries[0].answer.because


def test_a_person_settles_what_no_look_could(tmp_path: Path) -> None:
    """Their word closes the step under their name, and the node is worked on again."""
    night, node = unsettled(tmp_path)
    night.run(run="r2")
    with night.log() as log:
        (step,) = log.open_ends().doubts
        record = settle(log, "ann@here", step, "failed", "the server's log ends before it")
    assert (record.actor, record.ending, record.subject) == ("ann@here", "failed", 'table "public"."t"')
    node.database_up = True
    assert endings(night.run(run="r3")) == [('vacuum "public"."t"', "done")]


def test_a_step_of_a_task_that_is_gone_waits_for_a_person(tmp_path: Path) -> None:
    """Nobody can look with the eyes of a task that left the inventory: each run keeps off, and says what to type."""
    _night, node = unsettled(tmp_path)
    node.database_up = True
    other = one_node(tmp_path, node, tasks=["disk-cleanup"])
    for run in ("r2", "r3"):
        report = other.run(run=run)
        assert answers(report) == {"pacs-a": "refuse"}
    assert "no longer in the inventory" in report.tasks[0].answer.because
    with other.log() as log:
        (step,) = log.open_ends().doubts
    assert f"maintainer settle {step} --as" in report.tasks[0].answer.hint
