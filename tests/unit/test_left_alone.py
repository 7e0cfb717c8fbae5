"""A node on which a person works is left alone, and its partner goes on serving."""

from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.errors import Exit
from maintainer.intervention_log.open_ends import OpenEnds
from maintainer.intervention_log.record import Intervention, Kind, Record, write_time
from maintainer.model.action import Action, ProveService
from maintainer.model.finding import Severity
from maintainer.model.outcome import NotRun, Reason
from maintainer.model.plan import Risk
from maintainer.running.caution import caution
from maintainer.running.report import exit_of_plan
from tests.fakes.fake_fleet import NOW, FakeNode
from tests.unit.engine_bench import OLD, Night, answers, causes, endings, one_node, pair


def at_work(night: Night, node: str, until: timedelta = timedelta(hours=2)) -> Record:
    work = Intervention(who="Ann", company="ACME", place="remote", scope="upgrade", until=write_time(night.now + until))
    with night.log() as log:
        return log.append(Kind.INTERVENTION_OPENED, node=node, intervention=work)


def gone_home(night: Night, opening: Record) -> None:
    assert opening.intervention
    work = opening.intervention.model_copy(update={"opened": opening.seq})
    with night.log() as log:
        log.append(Kind.INTERVENTION_CLOSED, node=opening.node, intervention=work)


@pytest.mark.fault(29)
def test_fault_29_a_node_on_which_a_person_works_is_not_touched(tmp_path: Path) -> None:
    """Nothing is asked of it or done there; plan and run say who, since when and until when, and end with 4."""
    node = FakeNode(archive_started=OLD, dead_rows={"t": 50}, old_files=3, when_looked_at=_must_not_be)
    night = one_node(tmp_path, node)
    at_work(night, "pacs-a")
    plan, report = night.plan(), night.run()
    because = {part.answer.because for part in (*plan.entries, *report.tasks)}
    assert because == {
        "Ann of ACME is at work on pacs-a (remote: upgrade) since 2026-03-01 23:00 UTC, until 2026-03-02 01:00 UTC"
    }
    assert node.performed == []
    assert (exit_of_plan(plan), report.exit()) == (Exit.REFUSED, Exit.REFUSED)


def _must_not_be(_node: FakeNode) -> None:
    raise AssertionError("this node is to be left alone, and was looked at")


def test_when_the_person_has_left_the_node_is_worked_on_again(tmp_path: Path) -> None:
    """Closing the intervention is all it takes."""
    node = FakeNode(archive_started=OLD)
    night = one_node(tmp_path, node, tasks=["service-restart"])
    opening = at_work(night, "pacs-a")
    night.run()
    gone_home(night, opening)
    assert answers(night.plan()) == {"pacs-a": "steps"}
    night.run(run="r2")
    assert node.archive_started == NOW


def test_the_partner_of_a_node_under_work_stays_up(tmp_path: Path) -> None:
    """It is not taken out of service, in the plan as in the run; what costs no outage is done there all the same."""
    a, b = FakeNode(), FakeNode(archive_started=OLD, old_files=3)
    night = pair(tmp_path, a, b)
    night.tasks = ["service-restart", "disk-cleanup"]
    at_work(night, "a")
    entries = {(e.node, e.task): e.answer for e in night.plan().entries}
    assert entries["b", "service-restart"].kind == "refuse"
    assert "this node must go on serving" in entries["b", "service-restart"].because
    report = night.run()
    assert (b.archive_started, b.old_files) == (OLD, 0)
    assert report.exit() is Exit.REFUSED


def test_a_partner_that_serves_nobody_is_brought_back_all_the_same(tmp_path: Path) -> None:
    """Starting what is stopped costs no outage: while one member is worked on, the other is needed most."""
    b = FakeNode(archive="stopped")
    night = pair(tmp_path, FakeNode(), b)
    at_work(night, "a")
    night.run()
    assert b.archive == "running"


def test_what_costs_an_outage_is_taken_out_and_the_rest_is_done(tmp_path: Path) -> None:
    """Of two services on the partner, the stopped one is started; the old one is put off, and that is a finding."""
    night = pair(tmp_path, FakeNode(), FakeNode(archive="stopped"))
    opening = at_work(night, "a")
    stopped = night.plan().entries[1].answer
    assert stopped.kind == "steps"
    costly = stopped.steps[0].model_copy(update={"subject": "viewer", "risk": Risk.OUTAGE})
    both = stopped.model_copy(update={"steps": (costly, *stopped.steps)})
    held = caution("b", OpenEnds(interventions=(opening,)), night.inventory, NOW)
    left = held.restrain(both)
    assert left.kind == "steps"
    assert left.steps == stopped.steps
    assert [(f.cause, f.subject, f.severity) for f in left.findings] == [("outage-put-off", "viewer", Severity.WARNING)]


def test_a_forgotten_intervention_still_holds_and_is_said_once(tmp_path: Path) -> None:
    """Past its time the agent keeps off as before; one warning for the node, not one for each task."""
    node = FakeNode(archive_started=OLD, dead_rows={"t": 50}, old_files=3)
    night = one_node(tmp_path, node)
    opening = at_work(night, "pacs-a", until=timedelta(minutes=30))
    night.now = NOW + timedelta(hours=1)
    report = night.run()
    assert node.performed == []
    assert causes(report) == [("intervention-forgotten", f"intervention {opening.seq}", Severity.WARNING)]
    assert report.exit() is Exit.TROUBLE
    assert exit_of_plan(night.plan()) is Exit.TROUBLE


@pytest.mark.fault(29)
def test_who_comes_during_the_run_is_noticed_before_the_next_step(tmp_path: Path) -> None:
    """An intervention that is opened after the run began stops what has not begun, and only that."""
    node = FakeNode(archive_started=OLD, old_files=3)
    night = one_node(tmp_path, node, tasks=["service-restart", "disk-cleanup"])

    def comes(action: Action) -> None:
        if isinstance(action, ProveService):
            at_work(night, "pacs-a")

    node.trouble = comes
    report = night.run()
    assert [ending for _, ending in endings(report)] == ["done", "done", "done", "not-run"]
    last = report.tasks[1].steps[0].ending
    assert isinstance(last, NotRun)
    assert last.reason is Reason.PERSON_AT_WORK
    assert node.old_files == 3
    assert report.exit() is Exit.REFUSED


@pytest.mark.parametrize("reads", ["open_ends", "people_at_work"])
def test_the_log_knows_who_is_at_work(tmp_path: Path, reads: str) -> None:
    """Two at work on one node are two; closing one leaves the other. The index and the log itself agree."""
    night = one_node(tmp_path, FakeNode())
    first, second = at_work(night, "pacs-a"), at_work(night, "pacs-a")
    gone_home(night, first)
    with night.log() as log:
        assert [one.seq for one in getattr(log, reads)().interventions] == [second.seq]
