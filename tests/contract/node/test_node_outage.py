"""What the node's program tells before and after an outage: connections, processes, mounts, and the boot it is in."""

import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import _pydantic_core

from maintainer.errors import ActionFailed
from tests.contract.node.own_node import OwnNode

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@contextmanager
def connections(count: int) -> Iterator[tuple[int, list[socket.socket], list[socket.socket]]]:
    """A port with so many established connections: the port, its callers and its own ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        callers = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        taken = [listener.accept()[0] for _ in range(count)]
        try:
            yield port, callers, taken
        finally:
            for one in (*callers, *taken):
                one.close()


def test_established_connections_are_counted(own_node: OwnNode) -> None:
    """Only the port's own, and neither the listener nor connections that have ended."""
    with connections(3) as (port, callers, _):
        assert own_node.observe("connections", port=port, watch_seconds=0)["established"] == 3
        callers[0].close()
        assert own_node.observe("connections", port=port, watch_seconds=0)["established"] == 2
    assert own_node.observe("connections", port=port, watch_seconds=0) == {"established": 0, "received_bytes": 0}


def test_what_comes_in_while_watched_is_counted(own_node: OwnNode) -> None:
    """Bytes of one direction, of connections that were there and of one that came."""
    with connections(1) as (port, callers, taken):
        callers[0].sendall(bytes(70_000))
        taken[0].sendall(bytes(5_000))
        assert own_node.observe("connections", port=port, watch_seconds=0.2)["received_bytes"] == 0
        sender = threading.Timer(0.6, callers[0].sendall, [bytes(12_345)])
        sender.start()
        assert own_node.observe("connections", port=port, watch_seconds=2)["received_bytes"] == 12_345
        sender.join()


def test_what_came_in_before_does_not_count_again_when_a_timer_runs(own_node: OwnNode) -> None:
    """The kernel tells a connection's timer beside its name: one that is kept alive is the same all the time."""
    with connections(1) as (port, callers, taken):
        callers[0].sendall(bytes(70_000))
        taken[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert own_node.observe("connections", port=port, watch_seconds=0.2)["received_bytes"] == 0


def test_without_sock_diag_they_are_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old kernel's table gives the number, and nothing about what came in."""
    from maintainer.node import observe_connections, sock_diag  # noqa: PLC0415 (the program itself, in this process)

    monkeypatch.setattr(sock_diag, "_SOCK_DIAG", 31)
    with connections(2) as (port, _, __):
        answer = observe_connections.run({"port": port, "watch_seconds": 0}, None, None)
    assert answer == {"established": 2, "received_bytes": None}


HOLDER = """
import ctypes, sys, time
held = [ctypes.CDLL(path) for path in sys.argv[1:]]
print("ready", flush=True)
time.sleep(60)
"""


@contextmanager
def running(node: OwnNode, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python as the node's service `archive`."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, *words], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    pid_file = node.base / "archive.pid"
    pid_file.write_text(str(process.pid))
    argv = ["/bin/true"]
    service = {"start": argv, "stop": argv, "status": argv, "pid_file": str(pid_file), "timeout_seconds": 5}
    node.policy["services"]["archive"] = service
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


TEMPORARY = ("/tmp/", "/var/tmp/")  # noqa: S108 (nothing is made there)


@pytest.fixture
def libraries() -> Iterator[Path]:
    """A folder outside /tmp, as a library's is, wherever this repository lies."""
    places = (sys.prefix, str(Path.home()), "/opt")
    outside = next(place for place in places if not place.startswith(TEMPORARY))
    with tempfile.TemporaryDirectory(dir=outside) as folder:
        yield Path(folder)


def held_by(node: OwnNode) -> Any:
    return node.observe("processes")["archive"]


def test_a_library_that_was_replaced_is_told(own_node: OwnNode, libraries: Path) -> None:
    """Its name appears once its file is gone, and not before."""
    library = Path(shutil.copy(_pydantic_core.__file__, libraries / "libpacs.so.3"))
    with running(own_node, str(library)):
        assert held_by(own_node)["deleted"] == []
        library.unlink()
        assert held_by(own_node)["deleted"] == ["libpacs.so.3"]
        assert held_by(own_node)["unreadable"] == 0


def test_what_is_unlinked_on_purpose_is_not_told(own_node: OwnNode, tmp_path: Path) -> None:
    """Code that a program put into /tmp and deleted itself is not an updated library."""
    library = Path(shutil.copy(_pydantic_core.__file__, tmp_path / "jit.so"))
    if not str(library).startswith("/tmp/"):  # noqa: S108 (only looked at)
        pytest.skip("temporary files of this machine are not in /tmp")
    with running(own_node, str(library)):
        library.unlink()
        assert held_by(own_node)["deleted"] == []


def test_age_and_memory_of_a_service(own_node: OwnNode) -> None:
    """Age grows with time; memory is the process's own, in bytes."""
    with running(own_node) as process:
        first = held_by(own_node)
        time.sleep(0.3)
        second = held_by(own_node)
    assert first["pid"] == process.pid
    assert 0.25 < second["age_seconds"] - first["age_seconds"] < 20
    assert 1_000_000 < first["memory_bytes"] < 500_000_000


def test_a_service_that_does_not_run_has_no_processes(own_node: OwnNode) -> None:
    """Only running services are told of."""
    with running(own_node) as process:
        process.kill()
        process.wait()
        assert own_node.observe("processes") == {}


def test_mounts(own_node: OwnNode) -> None:
    """A mount point with content is well; a folder that is none, an empty one and a missing one are told apart."""
    missing = str(own_node.base / "missing")
    own_node.policy["mounts"] = ["/proc", str(own_node.spool), missing]
    assert own_node.observe("mounts") == {
        "/proc": {"mounted": True, "empty": False, "problem": ""},
        str(own_node.spool): {"mounted": False, "empty": True, "problem": ""},
        missing: {"mounted": False, "empty": True, "problem": "No such file or directory"},
    }


def test_the_boot_that_it_is_in(own_node: OwnNode) -> None:
    """The boot id is the kernel's, and its age is process 1's."""
    seen = own_node.observe("boot")
    assert seen["boot_id"] == BOOT_ID
    assert 0 <= seen["up_seconds"] <= float(Path("/proc/uptime").read_text().split()[0])
    assert seen["running_kernel"]


@pytest.fixture
def systemd_run(own_node: OwnNode) -> Path:
    """A systemd-run that only writes down what it was asked."""
    folder = own_node.base / "bin"
    folder.mkdir()
    asked = own_node.base / "asked"
    program = folder / "systemd-run"
    program.write_text(
        f'#!/bin/sh\necho "$@" > {asked}\n[ ! -e {own_node.base}/broken ] || {{ echo "no bus"; exit 1; }}\n'
    )
    program.chmod(0o755)
    own_node.how["env"] = {"PATH": f"{folder}:/usr/bin:/bin"}
    return asked


def test_a_reboot_is_asked_for_and_answered(own_node: OwnNode, systemd_run: Path) -> None:
    """The answer comes before the reboot, which a named timer of systemd will do."""
    own_node.policy["may_reboot"] = True
    assert own_node.act("reboot", boot_id=BOOT_ID) == {"boot_id": BOOT_ID}
    words = systemd_run.read_text().split()
    assert words[0] == "--unit=maintainer-reboot"
    assert words[-3:] == ["systemctl", "reboot", "--no-ask-password"]


@pytest.mark.parametrize("allowed", [None, False])
def test_a_reboot_that_the_policy_does_not_allow(own_node: OwnNode, systemd_run: Path, *, allowed: bool | None) -> None:
    """Silence of the policy is a no."""
    own_node.policy |= {} if allowed is None else {"may_reboot": allowed}
    with pytest.raises(ActionFailed, match="may not be rebooted"):
        own_node.act("reboot", boot_id=BOOT_ID)
    assert not systemd_run.exists()


def test_a_reboot_of_another_boot_is_not_repeated(own_node: OwnNode, systemd_run: Path) -> None:
    """A request that was made in an earlier boot has been overtaken by that boot's end."""
    own_node.policy["may_reboot"] = True
    with pytest.raises(ActionFailed, match="was rebooted since"):
        own_node.act("reboot", boot_id="another")
    assert not systemd_run.exists()


def test_a_reboot_that_systemd_does_not_take(own_node: OwnNode, systemd_run: Path) -> None:
    """Its refusal is the sentence."""
    own_node.policy["may_reboot"] = True
    (own_node.base / "broken").touch()
    with pytest.raises(ActionFailed, match="could not be asked for: no bus"):
        own_node.act("reboot", boot_id=BOOT_ID)
    assert systemd_run.exists()
