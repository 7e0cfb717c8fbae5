"""One run at a time, and who it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from maintainer.errors import Busy
from maintainer.intervention_log import run_lock
from maintainer.intervention_log.run_lock import RunLock, holder

HOLD = """
import sys
from pathlib import Path
from maintainer.intervention_log.run_lock import RunLock
with RunLock(Path(sys.argv[1]), command="maintainer run --window night"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that holds the controller."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.fault(9)
def test_the_second_run_is_told_who_holds_the_controller(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """Process, user, host, since when and with which command; exit 75."""
    with pytest.raises(Busy) as caught, RunLock(tmp_path, command="maintainer run"):
        pass
    assert caught.value.exit == 75
    assert f"'maintainer run --window night', process {other.pid} of " in caught.value.what
    who = holder(tmp_path)
    assert who is not None
    assert who.pid == other.pid


def test_the_lock_ends_with_its_process(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """What a killed holder left in the file is not taken for a holder."""
    other.kill()
    other.wait()
    assert str(other.pid) in (tmp_path / "run.lock").read_text()
    assert holder(tmp_path) is None
    with RunLock(tmp_path, command="maintainer run"):
        who = holder(tmp_path)
        assert who is not None
        assert (who.pid, who.command) == (os.getpid(), "maintainer run")


def test_a_lock_can_be_taken_again_when_it_was_let_go(tmp_path: Path) -> None:
    """After a run, nobody holds the controller and the next may begin."""
    for _ in range(2):
        with RunLock(tmp_path / "state", command="maintainer run"):
            assert holder(tmp_path / "state")
        assert holder(tmp_path / "state") is None


def test_a_program_that_a_run_started_does_not_keep_the_lock(tmp_path: Path) -> None:
    """The lock is not handed down to children."""
    with RunLock(tmp_path, command="maintainer run"):
        command = [sys.executable, "-c", "print(flush=True); input()"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as child:
            assert child.stdout is not None
            child.stdout.readline()
            inherited = [link.resolve() for link in Path(f"/proc/{child.pid}/fd").iterdir()]
            child.communicate(b"\n")
    assert tmp_path / "run.lock" not in inherited


def test_asking_makes_nothing(tmp_path: Path) -> None:
    """`status` on a fresh machine leaves it as it was."""
    assert holder(tmp_path / "state") is None
    assert not (tmp_path / "state").exists()


def test_a_holder_that_has_not_said_who_it_is_still_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between taking the lock and writing its name, a run is not to be overlooked."""
    monkeypatch.setattr(run_lock, "_write_holder", lambda *_: None)
    with RunLock(tmp_path, command="maintainer run"):
        who = holder(tmp_path)
        assert who is not None
        assert "starting" in str(who)
