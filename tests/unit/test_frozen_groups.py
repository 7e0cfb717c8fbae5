"""A group of which one is not known to serve is frozen until a person thaws it."""

from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.errors import ActionFailed, Exit, LinkLost
from maintainer.intervention_log.record import Kind
from maintainer.model.action import Action, RestartServices, Sql
from maintainer.model.finding import Severity
from maintainer.running.report import exit_of_plan
from maintainer.running.verdicts import thaw
from tests.fakes.fake_fleet import NOW, FakeNode
from tests.unit.engine_bench import OLD, Night, answers, causes, one_node, pair, raising


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
