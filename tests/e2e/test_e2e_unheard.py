"""A run whose output, or whose terminal, goes away in the middle."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.driver import Controller, controller, finished
from tests.practice_fixture import Practice

RESTART = ["restart archive", "prove that the node serves"]


def endings_on_record(me: Controller) -> list[tuple[str, str]]:
    return [(record["title"], record["ending"]) for record in me.records() if record["kind"] == "outcome"]


def until_it_restarts(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    assert any("restart archive …" in line for line in process.stdout)


def test_a_reader_that_goes_away_does_not_part_a_restart_from_its_proof(mended: Practice, tmp_path: Path) -> None:
    """`maintainer run | head`: nobody is told any more, and everything is done and on record all the same."""
    me = controller(tmp_path, {"pacs-a": mended})
    mended.break_("hung-archive")
    run = me.start("run", "--yes", "--task", "service-restart")
    until_it_restarts(run)
    assert run.stdout is not None
    run.stdout.close()
    run.stdout = None
    assert finished(run).code == 0
    assert endings_on_record(me) == [(title, "done") for title in RESTART]


def test_a_terminal_that_goes_away_is_a_request_to_stop(mended: Practice, tmp_path: Path) -> None:
    """SIGHUP during the restart: it is finished and proven, and the run ends as one that was asked to."""
    me = controller(tmp_path, {"pacs-a": mended})
    mended.break_("hung-archive")
    run = me.start("run", "--yes", "--task", "service-restart", "--task", "db-vacuum")
    until_it_restarts(run)
    run.send_signal(signal.SIGHUP)
    assert finished(run).code == 130
    assert endings_on_record(me) == [(title, "done") for title in RESTART]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_were_closed_before_do_not_matter(shared_practice: Practice, tmp_path: Path, closed: str) -> None:
    """Started without stdin, stdout or stderr, a run ends as ever, and its log is whole."""
    me = controller(tmp_path, {"pacs-a": shared_practice})
    shell = ["sh", "-c", f'"$@" {closed}', "sh", *me.argv("run", "--task", "db-vacuum")]
    assert subprocess.run(shell, capture_output=True, check=False, timeout=60).returncode == 0
    assert me.do("log", "verify").code == 0


def test_a_full_disk_under_stdout_is_said(shared_practice: Practice, tmp_path: Path) -> None:
    """`maintainer plan > file` on a full disk: one sentence, exit 1."""
    me = controller(tmp_path, {"pacs-a": shared_practice})
    with Path("/dev/full").open("wb") as full:
        plan = subprocess.run(
            me.argv("plan", "--task", "db-vacuum"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert plan.returncode == 1
    assert plan.stderr == "stdout: No space left on device\n  → make room where the output goes, and ask again\n"
