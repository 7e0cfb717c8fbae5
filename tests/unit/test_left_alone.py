"""Why a node is left alone: a person at work, a frozen group, a step that nobody could settle."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, Exit, LinkLost
from maintainer.intervention_log.open_ends import OpenEnds
from maintainer.intervention_log.record import Intervention, Kind, Record, write_time
from maintainer.model.action import Action, ProveService, RestartServices, Sql
from maintainer.model.finding import Severity
from maintainer.model.outcome import NotRun, Reason
from maintainer.model.plan import Plan, Risk
from maintainer.running.caution import caution
from maintainer.running.report import RunReport, exit_of_plan
from maintainer.running.verdicts import settle, thaw
from tests.fakes.fake_fleet import NOW, FakeFleet, FakeNode
from tests.unit.engine_bench import Night, endings, one_node

OLD = NOW - timedelta(days=40)
PAIR = {"pair": ["a", "b"]}


def raising(error: Exception, *, on: type[Any]) -> Any:
    def trouble(action: Action) -> None:
        if isinstance(action, on):
            raise error

    return trouble


def pair(state: Path, a: FakeNode, b: FakeNode, **night: Any) -> Night:
    return Night(state=state, fleet=FakeFleet({"a": a, "b": b}), groups=PAIR, tasks=["service-restart"], **night)


def at_work(night: Night, node: str, until: timedelta = timedelta(hours=2)) -> Record:
    work = Intervention(who="Ann", company="ACME", place="remote", scope="upgrade", until=write_time(night.now + until))
    with night.log() as log:
        return log.append(Kind.INTERVENTION_OPENED, node=node, intervention=work)


def gone_home(night: Night, opening: Record) -> None:
    assert opening.intervention
    work = opening.intervention.model_copy(update={"opened": opening.seq})
    with night.log() as log:
        log.append(Kind.INTERVENTION_CLOSED, node=opening.node, intervention=work)


def answers(seen: Plan | RunReport) -> dict[str, str]:
    """The one task's answer on each node."""
    parts = seen.entries if isinstance(seen, Plan) else seen.tasks
    return {part.node: part.answer.kind for part in parts}


def causes(report: RunReport) -> list[tuple[str, str, Severity]]:
    return [(found.cause, found.subject, found.severity) for task in report.tasks for found in task.answer.findings]


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


def frozen_pair(state: Path) -> tuple[Night, FakeNode, FakeNode]:
    a, b = FakeNode(archive_started=OLD), FakeNode(archive_started=OLD, old_files=3)

    def stops_for_good(action: Action) -> None:
        if isinstance(action, RestartServices):
            a.archive = "stopped"
            raise ActionFailed("the start command ended with 1")

    a.trouble = stops_for_good
    return pair(state, a, b), a, b


@pytest.mark.fault(25)
def test_fault_25_a_service_that_does_not_come_back_freezes_its_group(tmp_path: Path) -> None:
    """The partner is left alone, tonight and later, until a person thaws the group; an alert says so at once."""
    night, a, b = frozen_pair(tmp_path)
    report = night.run()
    assert a.archive == "stopped"
    assert ("group-frozen", "pair", Severity.CRITICAL) in causes(report)
    a.trouble, performed = lambda _action: None, list(a.performed)
    plan, later = night.plan(), night.run(run="r2")
    assert answers(plan) == answers(later) == {"a": "refuse", "b": "refuse"}
    assert (exit_of_plan(plan), later.exit()) == (Exit.REFUSED, Exit.REFUSED)
    for answer in (entry.answer for entry in plan.entries):
        assert answer.because == (
            "the group pair is frozen since 2026-03-01 23:00 UTC:"
            " service-restart of archive ended as failed on a, which is not known to serve"
        )
        assert "maintainer group thaw pair --why" in answer.hint
    assert (a.performed, b.performed) == (performed, [])


def test_a_thawed_group_is_worked_on_again(tmp_path: Path) -> None:
    """After a person's word the next run does what is due, one member after the other."""
    night, a, b = frozen_pair(tmp_path)
    night.run()
    a.trouble = lambda _action: None
    with night.log() as log:
        thaw(log, "ann@here", "pair", "seen with my own eyes")
    night.run(run="r2")
    assert (a.archive, b.archive_started) == ("running", NOW)


def test_a_link_lost_in_the_middle_of_a_restart_freezes_too(tmp_path: Path) -> None:
    """Not known to serve is enough: the restart may still be under way, so that an answer now proves nothing."""
    a = FakeNode(archive_started=OLD, trouble=raising(LinkLost("gone"), on=RestartServices))
    night = pair(tmp_path, a, FakeNode(archive_started=OLD))
    report = night.run()
    assert a.archive == "running"
    assert ("group-frozen", "pair", Severity.CRITICAL) in causes(report)


def test_a_restart_that_failed_and_left_the_service_serving_freezes_nothing(tmp_path: Path) -> None:
    """The node is asked again: one that serves is left alone for tonight only."""
    a = FakeNode(archive_started=OLD, trouble=raising(ActionFailed("exit 1"), on=RestartServices))
    b = FakeNode(archive_started=OLD)
    night = pair(tmp_path, a, b)
    report = night.run()
    assert b.performed == []
    assert causes(report) == []
    with night.log() as log:
        assert log.open_ends().frozen == ()


def test_what_is_no_service_freezes_no_group(tmp_path: Path) -> None:
    """A vacuum whose ending is unknown ends the night of its node and nothing else."""
    a = FakeNode(dead_rows={"t": 50}, trouble=raising(LinkLost("gone"), on=Sql))
    night = pair(tmp_path, a, FakeNode())
    night.tasks = ["db-vacuum"]
    night.run()
    with night.log() as log:
        assert log.open_ends().frozen == ()


def test_a_renamed_group_is_still_frozen(tmp_path: Path) -> None:
    """Its members are known by the node that went down: an edit of the inventory thaws nothing."""
    night, _a, _b = frozen_pair(tmp_path)
    night.run()
    night.groups = {"other": ["a", "b"]}
    assert answers(night.plan()) == {"a": "refuse", "b": "refuse"}


@pytest.mark.fault(26)
def test_fault_26_a_partner_that_dies_during_the_outage_is_an_alert(tmp_path: Path) -> None:
    """The node that goes down comes up in the same step; then the loss of the one that served meanwhile is critical."""
    a, b = FakeNode(archive_started=OLD), FakeNode()

    def dies(action: Action) -> None:
        if isinstance(action, RestartServices):
            b.archive = "stopped"

    a.trouble = dies
    b.trouble = raising(ActionFailed("exit 1"), on=RestartServices)
    night = pair(tmp_path, a, b)
    report = night.run()
    assert a.archive_started == NOW
    assert ("partner-lost", "b", Severity.CRITICAL) in causes(report)
    kinds = [(r.kind, r.title or r.subject) for r in night.records() if r.kind in {Kind.OUTCOME, Kind.FINDING}]
    assert kinds.index((Kind.FINDING, "b")) > kinds.index((Kind.OUTCOME, "restart archive"))


def test_a_partner_that_goes_on_serving_is_no_finding(tmp_path: Path) -> None:
    """An ordinary night has no alert."""
    night = pair(tmp_path, FakeNode(archive_started=OLD), FakeNode())
    assert causes(night.run()) == []


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


@pytest.mark.parametrize("reads", ["open_ends", "people_at_work"])
def test_the_log_knows_who_is_at_work(tmp_path: Path, reads: str) -> None:
    """Two at work on one node are two; closing one leaves the other. The index and the log itself agree."""
    night = one_node(tmp_path, FakeNode())
    first, second = at_work(night, "pacs-a"), at_work(night, "pacs-a")
    gone_home(night, first)
    with night.log() as log:
        assert [one.seq for one in getattr(log, reads)().interventions] == [second.seq]


def test_a_group_that_is_frozen_twice_is_frozen_since_the_first_time(tmp_path: Path) -> None:
    """Since when it waits is what a person needs; one word thaws it."""
    night = one_node(tmp_path, FakeNode())
    for hours in (0, 5):
        night.now = NOW + timedelta(hours=hours)
        with night.log() as log:
            log.append(Kind.GROUP_FROZEN, node="pacs-a", subject="pair", text="it is down")
    with night.log() as log:
        assert [record.at for record in log.open_ends().frozen] == [NOW]
        thaw(log, "ann@here", "pair", "up again")
        assert log.open_ends().frozen == ()
