"""A process is ended only when it is known to be ours."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maintainer.practice.processes import Process, find, is_free

SLEEPER = "import signal, time; signal.signal(signal.SIGTERM, {}); print('ready', flush=True); time.sleep(60)"


@pytest.fixture
def child(request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[bytes]"]:
    """A child process that treats SIGTERM as the test says."""
    code = SLEEPER.format(getattr(request, "param", "signal.SIG_DFL"))
    with subprocess.Popen([sys.executable, "-c", code, "a-mark"], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        yield started
        started.kill()


def _found(tmp_path: Path, pid: int, *marks: str) -> Process | None:
    pid_file = tmp_path / "some.pid"
    pid_file.write_text(f"{pid}\n", "ascii")
    return find(pid_file, *marks)


def test_a_process_is_found_by_number_and_command_line(child: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    """Each mark has to be a whole argument; a number alone may have been given to another process."""
    found = _found(tmp_path, child.pid, "a-mark")
    assert found is not None
    assert found.pid == child.pid
    assert _found(tmp_path, child.pid, "a-mar") is None
    assert _found(tmp_path, child.pid, "a-mark", "another") is None


@pytest.mark.parametrize("content", ["", "no number", "-1", "999999999", "\xff"])
def test_a_pid_file_without_a_live_process_finds_none(tmp_path: Path, content: str) -> None:
    """Whatever a crash or a person left in it."""
    (tmp_path / "some.pid").write_text(content, "latin-1")
    assert find(tmp_path / "some.pid") is None
    assert find(tmp_path / "no-such.pid") is None


def test_a_zombie_counts_as_ended(child: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    """In a container where nobody collects orphans it stays in the process table for ever."""
    found = _found(tmp_path, child.pid, "a-mark")
    assert found is not None
    os.kill(child.pid, signal.SIGKILL)
    assert found.wait(5)  # nobody has collected it yet
    assert Path(f"/proc/{child.pid}").exists()


def test_a_polite_word_is_enough_for_one_that_hears_it(child: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    """Nothing is ended by force that ends by itself."""
    found = _found(tmp_path, child.pid, "a-mark")
    assert found is not None
    found.end(patience=10)
    assert child.wait(5) == -signal.SIGTERM


@pytest.mark.parametrize("child", ["signal.SIG_IGN"], indirect=True)
def test_one_that_does_not_hear_is_ended_by_force_after_a_while(
    child: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    """The patience is kept."""
    found = _found(tmp_path, child.pid, "a-mark")
    assert found is not None
    began = time.monotonic()
    found.end(patience=0.3)
    assert 0.3 <= time.monotonic() - began < 5
    assert child.wait(5) == -signal.SIGKILL


def test_a_suspended_process_is_told_apart_and_ended(child: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    """SIGTERM waits for as long as SIGSTOP holds it."""
    found = _found(tmp_path, child.pid, "a-mark")
    assert found is not None
    assert not found.is_suspended()
    found.send(signal.SIGSTOP)
    while not found.is_suspended():
        time.sleep(0.01)
    found.end(patience=0.1)
    assert child.wait(5) in {-signal.SIGTERM, -signal.SIGKILL}


def test_a_number_that_was_given_again_is_another_process(child: "subprocess.Popen[bytes]") -> None:
    """The start time tells them apart, so no signal reaches the newcomer."""
    earlier = Process(child.pid, started=1)
    assert not earlier.is_alive()
    earlier.send(signal.SIGKILL)
    assert child.poll() is None


def test_a_port_is_free_until_somebody_listens() -> None:
    """And is free again at once afterwards."""
    import socket  # noqa: PLC0415 (only this test needs one)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free("127.0.0.1", port)
    assert is_free("127.0.0.1", port)
