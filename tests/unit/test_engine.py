"""The engine's promises, on nodes in memory: what is performed, in which order, what is recorded, what is not done."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, Exit, LinkLost, LogError
from maintainer.intervention_log.journal import Journal
from maintainer.intervention_log.record import Kind
from maintainer.model.action import Action, ProveService, RestartServices, Sql
from maintainer.model.outcome import NotRun, Reason
from maintainer.model.plan import Unseen
from tests.fakes.fake_fleet import NOW, FakeFleet, FakeNode
from tests.unit.engine_bench import Night, endings, one_node

OLD = NOW - timedelta(days=40)


def raising(error: Exception, *, on: type[Any]) -> Any:
    """Make trouble for one kind of action."""

    def trouble(action: Action) -> None:
        if isinstance(action, on):
            raise error

    return trouble


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


def test_a_second_look_that_is_refused_does_not_tell(tmp_path: Path) -> None:
    """When the task refuses to judge after its step, the step is not called done: the next run looks first."""

    def dies_after_the_proof(node: FakeNode) -> None:
        proven = any(isinstance(action, ProveService) for action in node.performed)
        node.database_up, node.hung = not proven, proven

    node = FakeNode(archive_started=OLD, when_looked_at=dies_after_the_proof)
    report = one_node(tmp_path, node, tasks=["service-restart"]).run()
    assert endings(report)[-1] == ("prove that the node serves", "unknown")
    assert report.exit() is Exit.UNKNOWN


def test_one_table_that_fails_does_not_cost_the_others_their_night(tmp_path: Path) -> None:
    """A failed statement ends its own subject only."""
    node = FakeNode(dead_rows={"t": 50, "u": 90})

    def locked(action: Action) -> None:
        if isinstance(action, Sql) and '"u"' in action.text:
            raise ActionFailed("the lock was not had in time")

    node.trouble = locked
    report = one_node(tmp_path, node, tasks=["db-vacuum"]).run()
    assert [ending for _, ending in endings(report)] == ["failed", "done"]


@pytest.mark.fault(12)
def test_a_lost_link_is_unknown_and_ends_the_nodes_night(tmp_path: Path) -> None:
    """A link that breaks in mid-step is never called failed, and nothing more is tried on that node."""
    node = FakeNode(dead_rows={"t": 50}, old_files=2, trouble=raising(LinkLost("the link broke"), on=Sql))
    night = one_node(tmp_path, node, tasks=["db-vacuum", "disk-cleanup"])
    report = night.run()
    assert endings(report) == [('vacuum "public"."t"', "unknown")]
    assert report.tasks[1].answer.kind == "refuse"
    assert report.exit() is Exit.UNKNOWN
    assert node.old_files == 2


@pytest.mark.fault(12)
def test_the_next_run_settles_what_was_unknown_first(tmp_path: Path) -> None:
    """An unknown step is looked at again before anything new: done when it is no longer due, failed when it is."""
    node = FakeNode(dead_rows={"t": 50}, trouble=raising(LinkLost("the link broke"), on=Sql))
    night = one_node(tmp_path, node, tasks=["db-vacuum"])
    night.run()
    node.trouble = lambda _action: None
    report = night.run(run="r2")
    assert [one.ending for one in report.settled] == ["failed"]
    assert endings(report) == [('vacuum "public"."t"', "done")]
    kinds = [record.kind for record in night.records() if record.run == "r2"]
    assert kinds.index(Kind.RECONCILED) < kinds.index(Kind.INTENT)


def test_what_another_task_left_open_is_settled_by_a_run_that_leaves_that_task_out(tmp_path: Path) -> None:
    """A run of one task alone still looks at what others left open on its nodes, with their own eyes."""
    node = FakeNode(dead_rows={"t": 50}, trouble=raising(LinkLost("the link broke"), on=Sql))
    night = one_node(tmp_path, node, tasks=["db-vacuum"])
    night.run()
    node.trouble, known = lambda _action: None, night.assignments
    report = one_node(tmp_path, node, tasks=["disk-cleanup"], known=known).run(run="r2")
    assert [(one.task, one.ending) for one in report.settled] == [("db-vacuum", "failed")]


def test_what_cannot_be_settled_keeps_the_agent_off_the_node(tmp_path: Path) -> None:
    """A node that cannot be looked at after an unknown step gets no new one."""
    node = FakeNode(dead_rows={"t": 50}, trouble=raising(LinkLost("the link broke"), on=Sql))
    night = one_node(tmp_path, node, tasks=["db-vacuum"])
    night.run()
    node.database_up, node.trouble = False, lambda _action: None
    report = night.run(run="r2")
    assert [one.ending for one in report.settled] == ["unknown"]
    assert report.tasks[0].answer.kind == "refuse"
    assert node.performed == []


@pytest.mark.parametrize("minutes", [17, 19])
def test_nothing_starts_that_cannot_end_inside_the_window(tmp_path: Path, minutes: int) -> None:
    """Drain, restart and proof (6 min, 10 min and 15 s, 2 min) are admitted together or not at all."""
    node = FakeNode(archive_started=OLD)
    report = one_node(tmp_path, node, tasks=["service-restart"], left=timedelta(minutes=minutes)).run()
    fits = minutes > 18
    assert [ending for _, ending in endings(report)] == ["done" if fits else "not-run"] * 3
    assert bool(node.performed) is fits


def test_a_restart_that_has_begun_is_proven_even_when_a_person_stops_the_run(tmp_path: Path) -> None:
    """Ctrl-C during the restart: the subject is finished, and what comes after is not begun."""
    node = FakeNode(archive_started=OLD, old_files=1)
    night = one_node(tmp_path, node, tasks=["service-restart", "disk-cleanup"])
    node.trouble = lambda action: night.stop.ask() if isinstance(action, RestartServices) else None
    report = night.run()
    assert [ending for _, ending in endings(report)] == ["done", "done", "done", "not-run"]
    assert node.archive == "running"
    assert report.tasks[1].steps[0].ending == NotRun(reason=Reason.INTERRUPTED, detail="a person stopped the run")
    assert report.exit() is Exit.INTERRUPTED


def killed_half_way(node: FakeNode, error: Exception) -> Any:
    """All that sees the restart through on the node is killed when the archive has been stopped."""

    def trouble(action: Action) -> None:
        if isinstance(action, RestartServices) and action.stop_first:
            node.archive = "stopped"
            raise error

    return trouble


@pytest.mark.parametrize("error", [ActionFailed("the stop command ended with 1"), LinkLost("it left no verdict")])
def test_what_a_restart_leaves_stopped_is_started_at_once(tmp_path: Path, error: Exception) -> None:
    """Where the node itself could not start it again, the same run looks and does."""
    node = FakeNode(archive_started=OLD)
    node.trouble = killed_half_way(node, error)
    night = one_node(tmp_path, node, tasks=["service-restart"])
    report = night.run()
    assert endings(report) == [
        ("wait until open DICOM associations end", "done"),
        ("restart archive", "failed" if isinstance(error, ActionFailed) else "unknown"),
        ("prove that the node serves", "not-run"),
        ("start archive", "done"),
        ("prove that the node serves", "done"),
    ]
    assert node.archive == "running"
    assert next(record.risk for record in night.records() if record.title == "start archive") == "slower"


def test_a_restart_whose_verdict_was_lost_is_settled_by_looking(tmp_path: Path) -> None:
    """The link is gone for good: the next run finds the node's verdict, or a young service, or starts a stopped one."""
    node = FakeNode(archive_started=OLD)
    night = one_node(tmp_path, node, tasks=["service-restart"])

    def cut(action: Action) -> None:
        if isinstance(action, RestartServices):
            node.archive, node.reachable = "stopped", False
            raise LinkLost("the link broke")

    node.trouble = cut
    assert endings(night.run())[1:] == [("restart archive", "unknown"), ("prove that the node serves", "not-run")]
    node.reachable, node.trouble = True, lambda _action: None
    report = night.run(run="r2")
    assert [one.ending for one in report.settled] == ["failed"]
    assert endings(report) == [("start archive", "done"), ("prove that the node serves", "done")]


@pytest.mark.fault(7)
def test_a_log_that_fails_during_the_restart_does_not_leave_it_unproven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No intent, no action; but what has begun is finished, and then the run ends with the log's error."""
    node, real = FakeNode(archive_started=OLD, old_files=1), Journal.append

    def disk_is_full(self: Journal, *args: Any, **fields: Any) -> Any:
        if node.archive_started == NOW:
            raise LogError("no space left")
        return real(self, *args, **fields)

    monkeypatch.setattr(Journal, "append", disk_is_full)
    with pytest.raises(LogError, match="no space left"):
        one_node(tmp_path, node, tasks=["service-restart", "disk-cleanup"]).run()
    assert [type(action) for action in node.performed][1:] == [RestartServices, ProveService]
    assert node.old_files == 1


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


def test_a_partner_that_does_not_serve_forbids_the_outage(tmp_path: Path) -> None:
    """A member of a group is not restarted while no other member serves."""
    fleet = FakeFleet({"pacs-a": FakeNode(archive_started=OLD), "pacs-b": FakeNode(hung=True)})
    night = Night(state=tmp_path, fleet=fleet, tasks=["service-restart"], groups={"g": ["pacs-a", "pacs-b"]})
    report = night.run()
    first = report.tasks[0].steps[0].ending
    assert isinstance(first, NotRun)
    assert first.reason is Reason.PARTNER_NOT_SERVING
    assert fleet.nodes["pacs-a"].performed == []
    assert not fleet.nodes["pacs-b"].hung, "the hung partner itself is brought back: that takes nothing away"


@pytest.mark.fault(25)
def test_after_a_member_that_may_be_down_its_partners_are_left_alone(tmp_path: Path) -> None:
    """A restart that ends badly freezes the rest of its group for the night, and no other group."""
    broken = FakeNode(archive_started=OLD, trouble=raising(ActionFailed("exit 1"), on=RestartServices))
    fleet = FakeFleet({"a1": broken, "a2": FakeNode(archive_started=OLD), "b1": FakeNode(archive_started=OLD)})
    night = Night(state=tmp_path, fleet=fleet, tasks=["service-restart"], groups={"a": ["a1", "a2"]})
    night.run()
    assert fleet.nodes["a2"].performed == []
    assert fleet.nodes["b1"].archive_started == NOW


def test_members_of_a_group_are_never_worked_on_together(tmp_path: Path) -> None:
    """Two members share a lane; a third node may be worked on beside them."""
    fleet = FakeFleet({name: FakeNode(old_files=1) for name in ("a1", "a2", "b1")})
    Night(state=tmp_path, fleet=fleet, tasks=["disk-cleanup"], groups={"a": ["a1", "a2"]}).run()
    assert all(not {"a1", "a2"} <= together for together in fleet.together)
    assert {name for together in fleet.together for name in together} == {"a1", "a2", "b1"}


def test_one_nodes_silence_is_its_own(tmp_path: Path) -> None:
    """A node that cannot be reached is unseen; the others are worked on as usual."""
    fleet = FakeFleet({"a": FakeNode(reachable=False, old_files=1), "b": FakeNode(old_files=1)})
    report = Night(state=tmp_path, fleet=fleet, tasks=["disk-cleanup"]).run()
    assert isinstance(report.tasks[0].answer, Unseen)
    assert fleet.nodes["b"].old_files == 0
    assert report.exit() is Exit.UNKNOWN


def test_our_own_mistake_on_one_node_stays_there(tmp_path: Path) -> None:
    """An exception that nobody foresaw is recorded as unknown where it happened, and other nodes go on."""
    bad = FakeNode(old_files=1, trouble=raising(ZeroDivisionError(), on=object))
    fleet = FakeFleet({"a": bad, "b": FakeNode(old_files=1)})
    night = Night(state=tmp_path, fleet=fleet, tasks=["disk-cleanup"])
    report = night.run()
    assert endings(report)[0][1] == "unknown"
    assert fleet.nodes["b"].old_files == 0
    with night.log() as log:
        assert [intent.node for intent in log.open_intents()] == ["a"]


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
