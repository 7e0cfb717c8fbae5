"""The engine's promises around an outage: waited for, proven by a partner right before, asked for, rebooted."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, Exit, LinkLost
from maintainer.intervention_log.record import Kind
from maintainer.model.action import Action, Drain, ProveService, Reboot, RestartServices, Sql
from maintainer.model.outcome import NotRun, Reason, Unknown
from maintainer.model.plan import Plan, Risk, Step
from maintainer.planning.starting import only_starts
from maintainer.running import partners
from tests.fakes.fake_fleet import NOW, FakeFleet, FakeNode
from tests.unit.engine_bench import OLD, Night, endings, one_node, pair

RESTART = ["service-restart"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two questions to a partner nothing needs to pass here."""
    monkeypatch.setattr(partners, "BETWEEN_ASKS", 0.0)


def before(kind: type[Any], do: Callable[[], object]) -> Callable[[Action], None]:
    """Do something before each action of a kind."""

    def trouble(action: Action) -> None:
        if isinstance(action, kind):
            do()

    return trouble


def reasons(report: Any) -> list[Reason | None]:
    steps = [done.ending for task in report.tasks for done in task.steps]
    return [ending.reason if isinstance(ending, NotRun) else None for ending in steps]


def test_open_associations_leave_the_archive_running(tmp_path: Path) -> None:
    """When associations do not end in time nothing was stopped: no failure, and no reason to leave the node."""
    node = FakeNode(archive_started=OLD, associations=2, old_files=1)
    report = one_node(tmp_path, node, tasks=["service-restart", "disk-cleanup"]).run()
    assert [ending for _, ending in endings(report)] == ["not-run", "not-run", "not-run", "done"]
    assert report.tasks[0].steps[0].ending == NotRun(
        reason=Reason.STILL_IN_USE, detail="2 open DICOM associations did not end"
    )
    assert not any(isinstance(action, RestartServices) for action in node.performed)
    assert report.exit() is Exit.REFUSED


def test_a_partner_that_dies_while_associations_end_forbids_the_stop(tmp_path: Path) -> None:
    """The proof at the beginning is minutes old when the stop comes: the partner is asked again."""
    b = FakeNode()
    a = FakeNode(archive_started=OLD, trouble=before(Drain, lambda: setattr(b, "reachable", False)))
    night = pair(tmp_path, a, b)
    report = night.run()
    assert reasons(report)[:2] == [None, Reason.PARTNER_NOT_SERVING]
    assert not any(isinstance(action, RestartServices) for action in a.performed)
    intents = [record.title for record in night.records() if record.kind is Kind.INTENT]
    assert intents == ["wait until open DICOM associations end"]


def test_a_person_who_stops_the_run_while_associations_end_is_heard(tmp_path: Path) -> None:
    """Nothing has begun that must be finished."""
    node = FakeNode(archive_started=OLD)
    night = one_node(tmp_path, node, tasks=RESTART)
    node.trouble = before(Drain, night.stop.ask)
    assert reasons(night.run()) == [None, *[Reason.INTERRUPTED] * 2]
    assert node.archive == "running"


@pytest.mark.fault(26)
def test_a_partner_that_dies_after_the_stop_does_not_keep_the_node_down(tmp_path: Path) -> None:
    """The node that goes down comes up in the same step; that its partner is gone is told."""
    b = FakeNode()
    a = FakeNode(archive_started=OLD, trouble=before(RestartServices, lambda: setattr(b, "reachable", False)))
    report = pair(tmp_path, a, b).run()
    assert a.archive == "running"
    assert {ending for title, ending in endings(report) if "archive" in title} == {"done"}
    assert "partner-lost" in [finding.cause for task in report.tasks for finding in task.answer.findings]


@pytest.mark.fault(27)
def test_a_partner_whose_health_flaps_does_not_serve(tmp_path: Path) -> None:
    """It answers the first time and not the second."""
    asked: list[int] = []

    def flap(node: FakeNode) -> None:
        asked.append(1)
        node.hung = len(asked) > 2  # database and archive of the first proof answer

    b = FakeNode(when_looked_at=flap)
    night = pair(tmp_path, FakeNode(archive_started=OLD), b)
    ending = night.run().tasks[0].steps[0].ending
    assert isinstance(ending, NotRun)
    assert ending.reason is Reason.PARTNER_NOT_SERVING
    assert "it answered, and then did not: c-echo" in ending.detail


@pytest.mark.fault(28)
def test_a_partner_that_is_the_same_machine_does_not_count(tmp_path: Path) -> None:
    """It serves, and would go down with the node; two machines that do not tell their ids are taken for two."""
    twin = pair(tmp_path, FakeNode(archive_started=OLD, machine="one"), FakeNode(machine="one"))
    ending = twin.run().tasks[0].steps[0].ending
    assert isinstance(ending, NotRun)
    assert ending.reason is Reason.PARTNER_NOT_SERVING
    assert "the same machine under another name" in ending.detail
    other = pair(tmp_path, FakeNode(archive_started=OLD, machine="one"), FakeNode(machine="two"))
    assert {how for _, how in endings(other.run())} == {"done"}


def asked_for(night: Night) -> Night:
    night.asked_at = night.now
    return night


def test_what_is_asked_for_is_done_once(tmp_path: Path) -> None:
    """A young service is restarted because somebody asked, and then is not due any more."""
    node = FakeNode(archive_started=NOW - timedelta(hours=1))
    night = asked_for(one_node(tmp_path, node, tasks=RESTART))
    assert [ending for _, ending in endings(night.run())] == ["done"] * 3
    assert endings(night.run(run="r2")) == []


def test_an_approved_plan_says_what_was_asked_for(tmp_path: Path) -> None:
    """The plan file carries it, under its digest, and a run of it needs no second asking."""
    night = asked_for(one_node(tmp_path, FakeNode(archive_started=NOW - timedelta(hours=1)), tasks=RESTART))
    plan = night.plan()
    assert plan.entries[0].steps[1].reason.startswith("asked for at")
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    entry = plan.entries[0].model_copy(update={"asked_at": NOW - timedelta(hours=2)})
    assert plan.model_copy(update={"entries": (entry,)}).digest() != plan.digest()
    assert [ending for _, ending in endings(night.run(approved=plan))] == ["done"] * 3


def test_what_was_asked_for_and_never_happened_is_settled_as_failed(tmp_path: Path) -> None:
    """A crash right before the stop: looking again finds a service that is old enough to have been asked for then."""
    node = FakeNode(archive_started=NOW - timedelta(hours=1))
    night = asked_for(one_node(tmp_path, node, tasks=RESTART))
    node.trouble = before(RestartServices, lambda: (_ for _ in ()).throw(LinkLost("the link broke")))
    night.run()
    night.asked_at, node.trouble = None, lambda _action: None
    report = night.run(run="r2")
    assert [(one.subject, one.ending) for one in report.settled] == [("archive", "failed")]


def rebooting(state: Path, node: FakeNode) -> Night:
    return asked_for(one_node(state, node, tasks=["node-reboot"]))


def test_a_reboot_is_drained_performed_and_proven(tmp_path: Path) -> None:
    """Three steps of one subject; a second look finds another boot, younger than the asking."""
    node = FakeNode()
    night = rebooting(tmp_path, node)
    report = night.run()
    assert [type(action) for action in node.performed] == [Drain, Reboot, ProveService]
    assert [ending for _, ending in endings(report)] == ["done"] * 3
    assert endings(night.run(run="r2")) == []


@pytest.mark.fault(25)
def test_a_node_that_does_not_come_back_freezes_its_group(tmp_path: Path) -> None:
    """Its partner is left alone, tonight and until a person says otherwise."""

    def gone() -> None:
        a.reachable = False
        raise ActionFailed("no other boot answered within 600 s")

    a, b = FakeNode(trouble=before(Reboot, gone)), FakeNode()
    fleet = FakeFleet({"a": a, "b": b})
    night = asked_for(Night(state=tmp_path, fleet=fleet, tasks=["node-reboot"], groups={"g": ["a", "b"]}))
    report = night.run()
    assert ("reboot", "failed") in endings(report)
    assert "group-frozen" in [finding.cause for task in report.tasks for finding in task.answer.findings]
    assert b.performed == []
    night.run(run="r2")
    assert b.performed == []


@pytest.mark.fault(23)
def test_a_reboot_in_the_middle_of_a_step_is_told_from_a_lost_link(tmp_path: Path) -> None:
    """Another boot answers, so the step was interrupted; it is not repeated in the same night."""

    def reboots() -> None:
        node.boot += 1
        raise LinkLost("the link broke")

    node = FakeNode(dead_rows={"t": 50}, trouble=before(Sql, reboots))
    night = one_node(tmp_path, node, tasks=["db-vacuum"])
    assert night.run().tasks[0].steps[0].ending == Unknown(
        last_seen="interrupted by a reboot of the node: the link broke"
    )
    assert len([record for record in night.records() if record.kind is Kind.INTENT]) == 1


@pytest.mark.fault(12)
def test_a_lost_link_to_the_same_boot_is_a_lost_link(tmp_path: Path) -> None:
    """The node answers again, in the boot that it was in."""
    node = FakeNode(dead_rows={"t": 50}, trouble=before(Sql, lambda: (_ for _ in ()).throw(LinkLost("the link broke"))))
    ending = one_node(tmp_path, node, tasks=["db-vacuum"]).run().tasks[0].steps[0].ending
    assert ending == Unknown(last_seen="the link broke")


def test_a_reboot_that_was_asked_for_interrupts_nothing(tmp_path: Path) -> None:
    """After node-reboot the new boot is the one that the run knows: a link that is lost later is only that."""
    node = FakeNode(dead_rows={"t": 50}, trouble=before(Sql, lambda: (_ for _ in ()).throw(LinkLost("the link broke"))))
    night = asked_for(one_node(tmp_path, node, tasks=["node-reboot", "db-vacuum"]))
    assert night.run().tasks[1].steps[0].ending == Unknown(last_seen="the link broke")


def test_what_is_brought_back_is_what_lies_stopped() -> None:
    """When the restart of a database failed, the archive that went down for it is started; nothing more is stopped."""

    def due(*stop_first: str) -> tuple[Step, ...]:
        restart = RestartServices(services=("database", "archive"), stop_first=stop_first)
        return tuple(
            Step(subject="s", title="t", reason="r", action=action, risk=Risk.OUTAGE, timeout=timedelta(minutes=1))
            for action in (Drain(within=timedelta(0)), restart, ProveService(within=timedelta(minutes=1)))
        )

    start, proof = only_starts(due("database"))
    assert (start.action, start.title, start.risk) == (
        RestartServices(services=("archive",)),
        "start archive",
        "slower",
    )
    assert proof == due()[-1]
    assert only_starts(due("database", "archive")) == ()
