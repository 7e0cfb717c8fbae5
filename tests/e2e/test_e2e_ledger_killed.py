"""A night that breaks off on a real sshd: what was read stays, and the next night knows whether it can vouch for it."""

import contextlib
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maintainer.model.inventory import Ssh
from tests.contract.links import servers
from tests.e2e.driver import Controller, controller, endings, finished, steps
from tests.e2e.nights import TASK, Nights
from tests.practice_fixture import Practice

pytestmark = pytest.mark.skipif(
    not servers.SSHD.exists() and not os.environ.get("CI"),
    reason="no /usr/sbin/sshd here: apt-get install openssh-server",
)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[servers.SshServer]:
    server = servers.start_openssh(tmp_path / "sshd")
    try:
        yield server
    finally:
        servers.kill_all(server)
        servers.end(server.process)


@pytest.fixture
def nights(shared_practice: Practice, tmp_path: Path, sshd: servers.SshServer) -> Nights:
    me = controller(tmp_path, {"practice": shared_practice})
    _over(me, sshd)
    return Nights(shared_practice, me)


def _over(me: Controller, sshd: servers.SshServer) -> None:
    """Reach the node through this server."""
    text = me.inventory.read_text("utf-8")
    begin = text.index("[nodes.practice.ssh]")
    end = text.index("\n[", begin)
    ssh: Any = sshd.node().ssh
    assert isinstance(ssh, Ssh)
    assert ssh.key is not None
    lines = ["[nodes.practice.ssh]", f'user = "{ssh.user}"', f"port = {ssh.port}", f'host_key = "{ssh.host_key}"']
    lines.append(f'key = {{ file = "{sshd.client_key}" }}')
    me.inventory.write_text(text[:begin] + "\n".join(lines) + "\n" + text[end:], "utf-8")


@pytest.mark.parametrize(
    ("ending", "told"),
    [("failed", []), ("unknown", ["ledger-unproven"]), ("done", [])],
    ids=["the-reading-is-killed", "all-of-it-is-killed", "the-link-is-cut"],
)
def test_a_night_that_breaks_off(nights: Nights, sshd: servers.SshServer, ending: str, told: list[str]) -> None:
    """Killed alone, it is sealed by its run. With whoever sees it through, nobody can vouch for what was written since,
    and that is told, once. A link that comes back costs nothing.
    """
    state = sshd.folder / "home" / ".local" / "state" / "maintainer"
    assert [one for *_, one in endings(nights.run())] == ["done"]
    nights.next()
    process = _begun(nights, state / "store-ledger.sqlite", "400 kB" if ending == "done" else "50 kB")
    supervisor, worker = _operation(state)
    cut = servers.children(sshd.process.pid)
    for pid in {"failed": [worker], "unknown": [supervisor, worker], "done": cut}[ending]:
        servers.kill(pid)
    assert [one for *_, one in endings(finished(process).document)] == [ending]
    nights.next()
    seen = nights.plan()
    assert (nights.causes(seen), len(steps(seen))) == (told, 1)
    if told:
        nights.me.edit('rate = "50 kB"\n', "")
        assert [one for *_, one in endings(nights.run())] == ["done"]
        nights.next()
        assert nights.causes(nights.plan()) == []


def _begun(nights: Nights, ledger: Path, rate: str) -> "subprocess.Popen[str]":
    """Begin a night at this rate; gives the run once some of what it read was committed."""
    before = _read_so_far(ledger)
    nights.me.edit("[tasks.dicom-integrity]\n", f'[tasks.dicom-integrity]\nrate = "{rate}"\n')
    process = nights.me.start("run", "--json", *TASK)
    until = time.monotonic() + 60
    while _read_so_far(ledger) <= before:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "it reads nothing"
        time.sleep(0.05)
    return process


def _read_so_far(ledger: Path) -> int:
    """The newest turn in which something was read."""
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as opened,
    ):
        return int(opened.execute("SELECT max(looked) FROM objects").fetchone()[0])
    return 0


def _operation(state: Path) -> list[int]:
    """Who sees it through, and who does it."""
    supervisor = int((state / "operations" / "running").read_text("ascii").split()[1])
    return [supervisor, *servers.children(supervisor)]
