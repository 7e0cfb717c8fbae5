"""A restart that somebody asked for, from the command line to the archive's new process."""

from pathlib import Path

import pytest

from tests.e2e.driver import controller, endings, steps
from tests.practice_fixture import Practice

DRAIN, RESTART, PROOF = "wait until open DICOM associations end", "restart archive", "prove that the node serves"
NOW = ("--now", "--task", "service-restart")


def pid(practice: Practice) -> int | None:
    return next(part.pid for part in practice.pacs.status() if part.name == "archive")


def test_what_is_asked_for_is_planned_done_and_measured(shared_practice: Practice, tmp_path: Path) -> None:
    """The plan file carries the asking, its run restarts once and tells the outage, a second run of it does nothing."""
    me, before = controller(tmp_path, {"pacs-a": shared_practice}), pid(shared_practice)
    assert steps(me.json("plan", "--task", "service-restart")) == []
    plan = tmp_path / "plan.json"
    planned = me.json("plan", *NOW, "--out", str(plan))
    assert [title for _, _, title in steps(planned)] == [DRAIN, RESTART, PROOF]
    assert pid(shared_practice) == before
    done = me.json("run", "--plan", str(plan))
    assert [(title, ending) for _, _, title, ending in endings(done)] == [
        (title, "done") for title in (DRAIN, RESTART, PROOF)
    ]
    assert done["tasks"][0]["steps"][-1]["ending"]["measured"]["outage_seconds"] > 0
    after = pid(shared_practice)
    assert after != before
    again = me.json("run", "--plan", str(plan))
    assert {ending for *_, ending in endings(again)} == {"not-run"}
    assert pid(shared_practice) == after
    reasons = [record.get("reason") for record in me.records() if record["kind"] == "intent"]
    assert reasons == ["asked-for"] * 3


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--now"),
        ("plan", "--now", "--task", "db-vacuum"),
        ("plan", "--now", "--task", "service-restart", "--task", "db-vacuum"),
    ],
)
def test_only_single_tasks_can_be_asked_for(shared_practice: Practice, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Asking for everything, or for a task that nobody can ask for, is a mistake that says what can be."""
    answer = controller(tmp_path, {"pacs-a": shared_practice}).do(*words)
    assert answer.code == 2
    assert "name it with --task: node-reboot, service-restart" in answer.stderr


def test_a_canary_that_is_declared_must_come(shared_practice: Practice, tmp_path: Path) -> None:
    """An archive without its canary is a critical finding, and is not restarted even when asked."""
    me, before = controller(tmp_path, {"pacs-a": shared_practice}), pid(shared_practice)
    me.edit('ae_title = "PRACTICE"', 'ae_title = "PRACTICE"\ncanary = "1.2.3"')
    answer = me.json("run", *NOW)
    assert answer["exit"] == 1
    assert answer["tasks"][0]["answer"]["kind"] == "refuse"
    assert [finding["cause"] for finding in answer["tasks"][0]["answer"]["findings"]] == ["canary-not-served"]
    assert pid(shared_practice) == before
