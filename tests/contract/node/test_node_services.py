"""Services with commands of their own are started and looked at; nothing they leave running holds us."""

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.node.daemons import carry_out, daemons
from tests.contract.node.own_node import OwnNode


@pytest.fixture
def archive(own_node: OwnNode) -> Iterator[OwnNode]:
    """A node with the service `archive`; what it leaves running is ended."""
    with daemons(own_node, "archive"):
        yield own_node


def beats(node: OwnNode) -> int:
    return (node.base / "archive" / "beats").stat().st_size


def test_start_ends_while_the_daemon_lives_on(archive: OwnNode) -> None:
    """Starting is over at once though the daemon keeps its output open, and the daemon survives our end."""
    done = carry_out(archive, start=("archive",))
    assert done["answer"]["services"] == {"archive": {"did": "started", "down_seconds": None}}
    assert done["answer"]["seconds"] < 5
    before = beats(archive)
    until = time.monotonic() + 10
    while beats(archive) == before:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_state_and_age_of_a_running_service(archive: OwnNode) -> None:
    """A running service has the process of its pid file and the instant at which that was started."""
    assert archive.observe("services")["archive"]["state"] == "stopped"
    carry_out(archive, start=("archive",))
    seen = archive.observe("services")["archive"]
    assert (seen["state"], seen["pid"]) == ("running", int((archive.base / "archive" / "pid").read_text()))
    age = datetime.now(UTC) - datetime.fromisoformat(seen["started_at"])
    assert timedelta(seconds=-2) < age < timedelta(seconds=50)


def test_pid_file_of_a_dead_process(archive: OwnNode) -> None:
    """A status of running is not believed when the process of the pid file is gone."""
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    (archive.base / "archive" / "pid").write_text(str(ended.pid))
    archive.policy["services"]["archive"]["status"] = ["/bin/true"]
    seen = archive.observe("services")["archive"]
    assert (seen["state"], seen["pid"]) == ("unknown", None)
    assert f"process {ended.pid} of the pid file is gone" in seen["detail"]


def test_pid_file_of_a_foreign_process(archive: OwnNode) -> None:
    """A pid file much older than the process that now has its number names a stranger."""
    (archive.base / "archive" / "pid").write_text(str(os.getpid()))
    long_ago = time.time() - 10**7
    os.utime(archive.base / "archive" / "pid", (long_ago, long_ago))
    seen = archive.observe("services")["archive"]
    assert seen["state"] == "unknown"
    assert "younger than the pid file" in seen["detail"]


def test_contradiction_is_unknown(archive: OwnNode) -> None:
    """A status of stopped while the process of the pid file lives is unknown, not stopped."""
    carry_out(archive, start=("archive",))
    archive.policy["services"]["archive"]["status"] = ["/bin/sh", "-c", "exit 3"]
    assert archive.observe("services")["archive"]["state"] == "unknown"


@pytest.mark.parametrize("content", ["", "nonsense", "-1", "0", "9" * 40, "\x00\xff"])
def test_pid_file_of_nonsense(archive: OwnNode, content: str) -> None:
    """A damaged pid file makes the state unknown, and nothing breaks."""
    (archive.base / "archive" / "pid").write_text(content)
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
    assert archive.observe("services", seconds=4)["archive"]["state"] == "unknown"


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
