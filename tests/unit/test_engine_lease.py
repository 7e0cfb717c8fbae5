"""The engine and what a node remembers: who holds it, how what was launched there ended (FAULTS 1, 9, 10, 22, 23)."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, Exit, LinkLost, LogError, NodeHeld
from maintainer.intervention_log.controller_id import controller_id
from maintainer.intervention_log.journal import Journal
from maintainer.intervention_log.record import Kind
from maintainer.model.action import NodeOperation, RestartServices, Sql
from maintainer.model.outcome import NotRun, Reason
from maintainer.model.plan import Refuse, Unseen
from maintainer.running import partners
from tests.fakes.fake_fleet import NOW, FakeFleet, FakeNode
from tests.unit.engine_bench import OLD, Night, endings, one_node, raising

OTHER = {"controller": "c2", "run": "r9", "who": "agent@other", "since": NOW.isoformat(), "age_seconds": 60}
FENCED = NodeHeld("fenced: a newer run holds this node: agent@other", where="pacs-a", hint="wait for it to end")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two questions to a partner nothing needs to pass here."""
    monkeypatch.setattr(partners, "BETWEEN_ASKS", 0.0)


def finished(*, ok: bool, what: str = "") -> dict[str, Any]:
    error = None if ok else {"class": "failed", "what": what, "hint": ""}
    return {"state": "finished", "ok": ok, "ended_at": "2026-03-01T23:01:00.000Z", "error": error}


@pytest.mark.fault(9)
def test_fault_9_a_node_that_another_controller_holds_is_left_alone(tmp_path: Path) -> None:
    """Nothing is asked of it or done there; the other nodes are worked on, and the run ends with 4."""
    held, free = FakeNode(old_files=1, holder=OTHER), FakeNode(old_files=1)
    night = Night(state=tmp_path, fleet=FakeFleet({"a": held, "b": free}), tasks=["disk-cleanup"])
    report = night.run()
    (refused,) = [task.answer for task in report.tasks if task.node == "a"]
    assert refused == Refuse(because="this node is held by agent@other", hint="wait for it to end")
    assert (held.performed, held.old_files, free.old_files) == ([], 1, 0)
    assert report.exit() is Exit.REFUSED


def test_what_was_left_open_there_stays_open(tmp_path: Path) -> None:
    """Another controller may be in the middle of it: nothing is settled, and the partners are left alone too."""
    node = FakeNode(old_files=1, trouble=raising(LinkLost("gone"), on=NodeOperation))
    pair = Night(
        state=tmp_path,
        fleet=FakeFleet({"a": node, "b": FakeNode(old_files=1)}),
        tasks=["disk-cleanup"],
        groups={"g": ["a", "b"]},
    )
    pair.run()
    node.holder = OTHER
    report = pair.run(run="r2")
    assert report.settled == ()
    assert [task.answer.kind for task in report.tasks] == ["refuse", "refuse"]
    with pair.log() as log:
        assert [one.node for one in log.open_ends().intents] == ["a"]


def test_a_node_that_cannot_keep_a_lease_is_refused_and_one_that_is_silent_unseen(tmp_path: Path) -> None:
    """Nothing is done on either, and the two do not look alike."""
    troubles = {
        "a": ActionFailed("no space left", where="a", hint="make room"),
        "b": CouldNotLook("silence", where="b"),
    }

    class Troubled(FakeFleet):
        def work(self, name: str) -> Any:
            raise troubles[name]

    fleet = Troubled({"a": FakeNode(old_files=1), "b": FakeNode(old_files=1)})
    report = Night(state=tmp_path, fleet=fleet, tasks=["disk-cleanup"]).run()
    assert [task.answer for task in report.tasks] == [
        Refuse(because="no space left", hint="make room"),
        Unseen(because="silence"),
    ]
    assert report.exit() is Exit.UNKNOWN


@pytest.mark.fault(10)
def test_fault_10_fenced_in_the_middle_of_a_night(tmp_path: Path) -> None:
    """The step was not run, nothing more is tried on that node, and nobody is alarmed about its service."""
    node = FakeNode(dead_rows={"t": 50, "u": 60}, old_files=1, trouble=raising(FENCED, on=Sql))
    report = one_node(tmp_path, node, tasks=["db-vacuum", "disk-cleanup"]).run()
    first, second = report.tasks[0].steps
    assert first.ending == NotRun(reason=Reason.NODE_HELD, detail=f"{FENCED.what} → {FENCED.hint}")
    assert second.ending == NotRun(reason=Reason.EARLIER_STEP)
    assert report.tasks[1].answer.kind == "refuse"
    assert (node.performed, report.exit()) == ([], Exit.REFUSED)


def test_fenced_before_an_outage(tmp_path: Path) -> None:
    """Who is fenced is not let begin, so nothing is down: nothing is tried again, and no group is frozen."""
    node = FakeNode(archive_started=OLD, trouble=raising(FENCED, on=RestartServices))
    fleet = FakeFleet({"a": node, "b": FakeNode()})
    night = Night(state=tmp_path, fleet=fleet, tasks=["service-restart"], groups={"g": ["a", "b"]})
    night.run()
    assert [r.subject for r in night.records() if r.kind is Kind.GROUP_FROZEN] == []
    tried = [r.title for r in night.records() if r.kind is Kind.INTENT and r.node == "a"]
    assert tried == ["wait until open DICOM associations end", "restart archive"]
    assert node.archive_started == OLD


def test_no_outage_while_another_controller_holds_the_partner(tmp_path: Path) -> None:
    """It might take the partner down: each of two controllers sees the other's lease before its own outage."""
    due, partner = FakeNode(archive_started=OLD), FakeNode()
    fleet = FakeFleet({"a": due, "b": partner})
    night = Night(state=tmp_path, fleet=fleet, tasks=["service-restart"], groups={"g": ["a", "b"]})
    partner.holder = OTHER
    report = night.run()
    endings_of_a = [done.ending for task in report.tasks if task.node == "a" for done in task.steps]
    assert all(isinstance(one, NotRun) and one.reason is Reason.PARTNER_NOT_SERVING for one in endings_of_a)
    assert isinstance(endings_of_a[0], NotRun)
    assert "b: another controller holds it: agent@other (controller c2, run r9)" in endings_of_a[0].detail
    assert not any(isinstance(action, RestartServices) for action in due.performed)
    partner.holder = {**OTHER, "controller": "c1"}  # an earlier run of our own that was killed
    night.run(run="r2")
    assert any(isinstance(action, RestartServices) for action in due.performed)


def test_a_step_is_known_to_the_node_by_its_intents_id(tmp_path: Path) -> None:
    """So that a later run can ask for it by what stands in the log."""
    node = FakeNode(archive_started=OLD, old_files=1)
    night = one_node(tmp_path, node)
    night.run()
    assert node.steps == [record.step for record in night.records() if record.kind is Kind.INTENT]
    assert len(set(node.steps)) == len(node.steps) == 4


def test_a_step_without_an_intent_has_an_id_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the log fails before the restart or its proof, both are done, each under an id of its own."""
    node = FakeNode(archive_started=OLD)
    append, written = Journal.append, []

    def failing(journal: Journal, kind: Kind, *args: Any) -> Any:
        written.append(kind)
        if written.count(Kind.INTENT) >= 2:
            raise LogError("the disk is full")
        return append(journal, kind, *args)

    monkeypatch.setattr(Journal, "append", failing)
    with suppress(LogError):
        one_node(tmp_path, node, tasks=["service-restart"]).run()
    assert node.archive_started == NOW
    assert all(node.steps)
    assert len(set(node.steps)) == len(node.steps)


def crashed(state: Path, node: FakeNode, *, on: type[Any]) -> tuple[Night, str]:
    """A night whose link broke in mid-step, and the step's id."""
    node.trouble = raising(LinkLost("the link broke"), on=on)
    night = one_node(state, node, tasks=["disk-cleanup"])
    night.run()
    node.trouble = lambda _action: None
    return night, node.steps[-1]


VERDICTS = [
    (finished(ok=True), "done", "the node's own verdict of 2026-03-01T23:01:00.000Z: done"),
    (finished(ok=False, what="the disk is full"), "failed", "2026-03-01T23:01:00.000Z: the disk is full"),
    ({"state": "vanished"}, "failed", "it ended there without a verdict; looked again: still due"),
    ({"state": "interrupted"}, "failed", "interrupted by a reboot of the node; looked again: still due"),
    ({"state": "unknown-id"}, "failed", "looked again: still due"),
    ({"state": "running"}, "unknown", "it still runs on the node"),
    ({"state": "nonsense"}, "failed", "looked again: still due"),
]


@pytest.mark.parametrize(("kept", "ending", "text"), VERDICTS, ids=[str(one[0]["state"]) + one[1] for one in VERDICTS])
def test_the_nodes_verdict_settles_what_was_left_open(tmp_path: Path, kept: Any, ending: str, text: str) -> None:
    """Where the node has kept how the step ended, that decides; else its subject is looked at again."""
    node = FakeNode(old_files=1)
    night, step = crashed(tmp_path, node, on=NodeOperation)
    node.operations[step] = kept
    report = night.run(run="r2")
    assert [one.ending for one in report.settled] == [ending]
    (record,) = [record for record in night.records() if record.kind is Kind.RECONCILED]
    assert (record.step, text in record.text) == (step, True), record.text


def test_what_still_runs_there_keeps_everything_else_away(tmp_path: Path) -> None:
    """Nothing new is begun beside it; when it has ended, the next run goes on."""
    node = FakeNode(old_files=1)
    night, step = crashed(tmp_path, node, on=NodeOperation)
    node.operations[step] = {"state": "running"}
    assert night.plan().entries[0].answer.kind == "refuse"
    report = night.run(run="r2")
    assert (endings(report), node.performed, report.exit()) == ([], [], Exit.UNKNOWN)
    node.operations[step] = finished(ok=False, what="the time is over")
    assert [ending for _, ending in endings(night.run(run="r3"))] == ["done"]


def test_a_dry_run_settles_nothing_and_holds_nothing(tmp_path: Path) -> None:
    """It asks how the step ended, as anything else that it looks at."""
    node = FakeNode(old_files=1)
    night, step = crashed(tmp_path, node, on=NodeOperation)
    node.operations[step] = finished(ok=True)
    before = len(night.records())
    assert [step.subject for step in night.plan().entries[0].steps]
    assert len(night.records()) == before
    assert node.holder is None


def test_a_controller_has_one_id(tmp_path: Path) -> None:
    """Made once, kept, and another one's is another."""
    one = controller_id(tmp_path / "one")
    assert controller_id(tmp_path / "one") == one
    assert controller_id(tmp_path / "two") != one
    assert len(one) == 16
