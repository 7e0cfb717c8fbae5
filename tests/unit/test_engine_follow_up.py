"""What a look brings to light is dealt with in the same night: a damaged index is found, rebuilt and checked again."""

from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, Exit, GaveWay
from maintainer.intervention_log.record import Kind
from maintainer.model.action import Action, Sql
from maintainer.model.outcome import NotRun, Reason
from tests.fakes.fake_fleet import FakeNode
from tests.unit.engine_bench import Night, endings, one_node

TABLE = {"quoted": '"public"."t"', "oid": 1, "bytes": 8192, "rebuilds": None, "table": None}
INDEX = {"quoted": '"public"."i"', "oid": 2, "bytes": 16384, "rebuilds": 8192, "table": '"public"."t"'}
DAMAGED = 'index "public"."i"'
DONE = [
    ('check table "public"."t" and 1 more (0.0 MB)', "done"),
    ('rebuild "public"."i"', "done"),
    ('check "public"."i" once more', "done"),
]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A database whose index is damaged, and a log that remembers what was found."""
    node = FakeNode(relations=[TABLE, INDEX], damage={DAMAGED: 1})
    night = one_node(tmp_path, node, tasks=["db-check"])

    def recorded(name: str) -> dict[str, Any]:
        kept = [one for one in night.records() if one.kind is Kind.MEASURED and name in one.measured]
        return {one.subject: {"least": 0.0, "last": one.measured[name]} for one in kept}

    node.recorded = recorded
    return night


def test_what_a_step_finds_is_dealt_with_in_the_same_night(night: Night) -> None:
    """It is told though it is gone by the end; the next night has nothing to do and nothing to tell."""
    report = night.run()
    assert endings(report) == DONE
    assert [one.cause for one in report.tasks[0].answer.findings] == ["index-damaged"]
    again = night.run(run="r2")
    assert endings(again) == []
    assert again.tasks[0].answer.findings == ()


def test_what_nobody_approved_is_not_done(night: Night) -> None:
    """With a plan file, what comes to light waits for a plan of its own."""
    report = night.run(approved=night.plan())
    steps = report.tasks[0].steps
    assert [one.ending.ending for one in steps] == ["done", "not-run", "not-run"]
    ending = steps[1].ending
    assert isinstance(ending, NotRun)
    assert ending.reason is Reason.NOT_APPROVED


def test_nothing_is_tried_twice(night: Night) -> None:
    """A rebuild that fails is not begun again by the look after it."""

    def trouble(action: Action) -> None:
        if isinstance(action, Sql):
            raise ActionFailed("no room", where="pacs-a")

    night.fleet.nodes["pacs-a"].trouble = trouble
    report = night.run()
    assert endings(report) == [DONE[0], (DONE[1][0], "failed"), (DONE[2][0], "not-run")]
    assert report.exit() is not Exit.FINE


def test_what_was_done_of_a_subject_is_not_done_again(night: Night) -> None:
    """The check after a rebuild gives way to the clinic: only the check is tried again, and the rebuild stays told."""
    node, begun = night.fleet.nodes["pacs-a"], list[str]()

    def trouble(action: Action) -> None:
        begun.append(action.kind)
        if begun == ["check-relations", "sql", "check-relations"]:
            raise GaveWay("it kept Orthanc (client backend) waiting", where="pacs-a")

    node.trouble = trouble
    report = night.run()
    assert endings(report) == DONE
    assert begun == ["check-relations", "sql", "check-relations", "check-relations"]


def test_a_rebuild_that_needs_no_check_any_more_stays_told(night: Night) -> None:
    """What somebody else did meanwhile makes an end of what gave way, and of nothing that was done before it."""
    node = night.fleet.nodes["pacs-a"]

    def trouble(_action: Action) -> None:
        if len(node.steps) == 3:
            node.relations.remove(INDEX)
            raise GaveWay("it kept Orthanc (client backend) waiting", where="pacs-a")

    node.trouble = trouble
    steps = night.run().tasks[0].steps
    assert [one.ending.ending for one in steps] == ["done", "done", "not-run"]
    assert steps[2].ending == NotRun(reason=Reason.NO_LONGER_DUE)


def test_a_damaged_table_is_told_and_left(night: Night) -> None:
    """Nothing is rebuilt from a table that is damaged itself."""
    night.fleet.nodes["pacs-a"].damage['table "public"."t"'] = 2
    report = night.run()
    assert endings(report) == DONE[:1]
    assert [one.cause for one in report.tasks[0].answer.findings] == ["table-damaged", "index-damaged"]


def test_a_refusal_that_knows_what_is_due_leaves_nothing_unknown(tmp_path: Path) -> None:
    """A backup that begins in the night opens a long transaction: what was vacuumed before it is done all the same."""
    node = FakeNode(dead_rows={"t": 90, "u": 50})

    def trouble(_action: Action) -> None:
        node.oldest_transaction = 7200.0

    node.trouble = trouble
    report = one_node(tmp_path, node, tasks=["db-vacuum", "disk-cleanup"]).run()
    assert endings(report) == [('vacuum "public"."t"', "done"), ('vacuum "public"."u"', "done")]
    assert report.exit() is Exit.FINE


def test_what_is_due_in_spite_of_what_was_done_has_failed(tmp_path: Path) -> None:
    """A refusal does not hide that the step was in vain."""
    node = FakeNode(dead_rows={"t": 90, "u": 50})

    def trouble(_action: Action) -> None:
        node.oldest_transaction = 7200.0

    class Kept(dict[str, int]):
        """Rows that no vacuum removes."""

        def pop(self, *_: Any) -> int:
            return 0

    node.trouble, node.dead_rows = trouble, Kept(node.dead_rows)
    report = one_node(tmp_path, node, tasks=["db-vacuum"]).run()
    assert {ending for _, ending in endings(report)} == {"failed"}
