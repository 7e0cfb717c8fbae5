"""Services with commands of their own are started, stopped and looked at; nothing they leave running holds us."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maintainer.errors import ActionFailed
from tests.contract.node.own_node import OwnNode

# A daemon as products ship them: it keeps the output it was started with, and talks all the time.
SCRIPT = """#!/bin/sh
cd "$(dirname "$0")"
case "$1" in
start) [ -e broken ] && { echo "cannot bind port 104"; exit 1; }
       sh -c 'while :; do echo chatter; echo . >> beats; sleep 0.05; done' "$PWD" &
       echo $! > pid; echo $! >> started ;;
stop)  [ -e hangs ] && exec sleep 60
       [ -e deaf ] && exit 0
       kill "$(tail -n 1 started)"; rm -f pid ;;
status) [ -e pid ] && exit 0
       exit 3 ;;
esac
"""


@pytest.fixture
def archive(own_node: OwnNode) -> Iterator[OwnNode]:
    """A node with the service `archive`; what it leaves running is ended."""
    script = own_node.base / "archive.sh"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    argvs = {verb: [str(script), verb] for verb in ("start", "stop", "status")}
    own_node.policy["services"]["archive"] = {
        **argvs,
        "pid_file": str(own_node.base / "pid"),
        "timeout_seconds": 5,
    }
    yield own_node
    for pid in started(own_node):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def started(node: OwnNode) -> list[int]:
    """Daemons of this test that still live: those that the script started, and that carry this test's folder.

    Never by the pid file: the tests write -1, 0 and other processes' numbers into it.
    """
    record = node.base / "started"
    pids = [int(line) for line in record.read_text().split()] if record.exists() else []
    return [pid for pid in pids if pid > 1 and str(node.base).encode() in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def beats(node: OwnNode) -> int:
    return (node.base / "beats").stat().st_size


def test_start_ends_while_the_daemon_lives_on(archive: OwnNode) -> None:
    """Starting answers at once though the daemon keeps its output open, and the daemon survives our end."""
    began = time.monotonic()
    done = archive.act("service", verb="start", service="archive")
    assert done["state"] == "running"
    assert time.monotonic() - began < 3
    before = beats(archive)
    time.sleep(0.3)
    assert beats(archive) > before


def test_state_and_age_of_a_running_service(archive: OwnNode) -> None:
    """A running service has the process of its pid file and the instant at which that was started."""
    assert archive.observe("services")["archive"]["state"] == "stopped"
    archive.act("service", verb="start", service="archive")
    seen = archive.observe("services")["archive"]
    assert (seen["state"], seen["pid"]) == ("running", int((archive.base / "pid").read_text()))
    age = datetime.now(UTC) - datetime.fromisoformat(seen["started_at"])
    assert timedelta(seconds=-2) < age < timedelta(seconds=10)


def test_stop_waits_until_it_has_stopped(archive: OwnNode) -> None:
    """After stop the daemon is gone, and a second stop finds nothing running."""
    archive.act("service", verb="start", service="archive")
    pid = int((archive.base / "pid").read_text())
    assert archive.act("service", verb="stop", service="archive")["state"] == "stopped"
    assert not Path(f"/proc/{pid}/stat").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()
    assert archive.observe("services")["archive"]["pid"] is None


def test_a_stop_that_does_not_stop_has_failed(archive: OwnNode) -> None:
    """The exit status of a stop command is not believed: while the process lives the stop has failed."""
    archive.policy["services"]["archive"]["timeout_seconds"] = 1
    archive.act("service", verb="start", service="archive")
    (archive.base / "deaf").touch()
    with pytest.raises(ActionFailed, match="after stop the service is running"):
        archive.act("service", verb="stop", service="archive")


def test_a_start_that_fails_says_so(archive: OwnNode) -> None:
    """A start command's failure is a sentence with its status."""
    (archive.base / "broken").touch()
    with pytest.raises(ActionFailed, match="the start command ended with 1") as caught:
        archive.act("service", verb="start", service="archive")
    assert "by hand" in caught.value.hint


def test_a_command_that_hangs_is_ended(archive: OwnNode) -> None:
    """A stop command that does not end within the service's time is ended with all it started."""
    archive.policy["services"]["archive"]["timeout_seconds"] = 1
    (archive.base / "hangs").touch()
    began = time.monotonic()
    with pytest.raises(ActionFailed, match="did not end within 1 s"):
        archive.act("service", verb="stop", service="archive")
    assert time.monotonic() - began < 5


def test_pid_file_of_a_dead_process(archive: OwnNode) -> None:
    """A status of running is not believed when the process of the pid file is gone."""
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    (archive.base / "pid").write_text(str(ended.pid))
    archive.policy["services"]["archive"]["status"] = ["/bin/true"]
    seen = archive.observe("services")["archive"]
    assert (seen["state"], seen["pid"]) == ("unknown", None)
    assert f"process {ended.pid} of the pid file is gone" in seen["detail"]


def test_pid_file_of_a_foreign_process(archive: OwnNode) -> None:
    """A pid file much older than the process that now has its number names a stranger."""
    (archive.base / "pid").write_text(str(os.getpid()))
    long_ago = time.time() - 10**7
    os.utime(archive.base / "pid", (long_ago, long_ago))
    seen = archive.observe("services")["archive"]
    assert seen["state"] == "unknown"
    assert "younger than the pid file" in seen["detail"]


def test_contradiction_is_unknown(archive: OwnNode) -> None:
    """A status of stopped while the process of the pid file lives is unknown, not stopped."""
    archive.act("service", verb="start", service="archive")
    archive.policy["services"]["archive"]["status"] = ["/bin/sh", "-c", "exit 3"]
    assert archive.observe("services")["archive"]["state"] == "unknown"


@pytest.mark.parametrize("content", ["", "nonsense", "-1", "0", "9" * 40, "\x00\xff"])
def test_pid_file_of_nonsense(archive: OwnNode, content: str) -> None:
    """A damaged pid file makes the state unknown, and nothing breaks."""
    (archive.base / "pid").write_text(content)
    archive.policy["services"]["archive"]["status"] = ["/bin/true"]
    assert archive.observe("services")["archive"]["state"] == "unknown"


def test_status_command_that_is_not_there(archive: OwnNode) -> None:
    """A missing status command makes the state unknown, with the reason."""
    archive.policy["services"]["archive"]["status"] = ["/nowhere/status"]
    seen = archive.observe("services")["archive"]
    assert (seen["state"], "No such file" in seen["detail"]) == ("unknown", True)


def test_output_without_end_is_bounded(archive: OwnNode) -> None:
    """A status command that floods its output is bounded in what is kept and in time."""
    flood = "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done"
    archive.policy["services"]["archive"]["status"] = ["/bin/sh", "-c", flood]
    seen = archive.program().observe("services", {}, timedelta(seconds=4))
    assert isinstance(seen, dict)
    assert seen["archive"]["state"] == "unknown"  # type: ignore[index, call-overload]


def test_unit_without_systemd_is_unknown(own_node: OwnNode) -> None:
    """Where systemd does not answer or has no such unit, the state is unknown, never stopped."""
    own_node.policy["services"]["orthanc"] = {"unit": "maintainer-no-such.service", "timeout_seconds": 5}
    assert own_node.observe("services")["orthanc"]["state"] == "unknown"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=$PPID", "running"),
        ("LoadState=loaded\nActiveState=inactive\nSubState=dead\nMainPID=0", "stopped"),
        ("LoadState=loaded\nActiveState=failed\nSubState=failed\nMainPID=0", "stopped"),
        ("LoadState=loaded\nActiveState=deactivating\nSubState=stop-sigterm\nMainPID=1", "unknown"),
        ("LoadState=not-found\nActiveState=inactive\nSubState=dead\nMainPID=0", "unknown"),
    ],
)
def test_unit_states(own_node: OwnNode, answer: str, expected: str) -> None:
    """Words of systemd become one of three states; a unit that it does not have is not a stopped one."""
    folder = own_node.base / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text(f'#!/bin/sh\necho "{answer}"\n')
    (folder / "systemctl").chmod(0o755)
    own_node.how["env"] = {"PATH": f"{folder}:{os.environ['PATH']}"}
    own_node.policy["services"]["orthanc"] = {"unit": "orthanc.service", "timeout_seconds": 5}
    seen = own_node.observe("services")["orthanc"]
    assert seen["state"] == expected
    assert (seen["started_at"] is not None) == (expected == "running")


def test_unknown_service_is_refused(archive: OwnNode) -> None:
    """A request can only name what the policy declares, and only start or stop it."""
    with pytest.raises(ActionFailed, match="no service of that name"):
        archive.act("service", verb="stop", service="sshd")
    with pytest.raises(ActionFailed, match="neither start nor stop"):
        archive.act("service", verb="restart", service="archive")
