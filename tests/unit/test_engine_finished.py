"""A restart that has begun is finished: whoever stops the run, and whatever else fails."""

from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, Exit, LinkLost, LogError
from maintainer.intervention_log.journal import Journal
from maintainer.model.action import Action, ProveService, RestartServices
from maintainer.model.outcome import NotRun, Reason
from tests.fakes.fake_fleet import NOW, FakeNode
from tests.unit.engine_bench import OLD, endings, one_node


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
