"""An operation as a unit of systemd: how it is launched, and what it does by its note."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maintainer.node import detach
from maintainer.node.envelope import Failed
from tests.contract.node.operations.launched import TIME
from tests.contract.node.own_node import HELD
from tests.contract.node.prepared import PreparedNode, prepare
from tests.contract.node.slow_program import Slow, alive, slow


@pytest.fixture
def prepared(tmp_path: Path, zipapp: bytes) -> PreparedNode:
    node = prepare(tmp_path, zipapp)
    node.write(programs={"observe": ["operation"], "act": ["slow", "cancel"]})
    return node


def note(node: PreparedNode, work: Slow, seconds: float = 60) -> None:
    """What a launch leaves for the unit that it starts."""
    asked = {"format": "maintainer.node/2", "verb": "act", "program": "slow", "deadline_seconds": seconds}
    asked |= {"policy": None, "request": work.request, "lease": HELD, "launch": "step-1"}
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    fields = {"format": "maintainer.operation/1", "asked": asked, "boot_id": boot}
    folder = node.folder / "state" / "operations"
    folder.mkdir(mode=0o700)
    (folder / "step-1.launch").write_text(json.dumps({**fields, "launched_at": "2026-11-24T22:00:00.000Z"}))


def as_unit(node: PreparedNode) -> subprocess.Popen[bytes]:
    """Start the program as the unit would."""
    argv = [sys.executable, "-I", "-S", "-B", str(node.program), "operation", "step-1"]
    return subprocess.Popen(argv, env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL)


def test_a_unit_does_what_its_note_says(prepared: PreparedNode) -> None:
    """A prepared node's own program reads it, works by the node's policy, and leaves the verdict."""
    with slow(prepared.folder / "work") as work:
        note(prepared, work)
        with as_unit(prepared) as unit:
            work.await_begin()
            running: Any = prepared.ask().observe("operation", {"id": "step-1"}, TIME)
            work.go()
            assert unit.wait(20) == 0
    ended: Any = prepared.ask().observe("operation", {"id": "step-1"}, TIME)
    assert (running["state"], ended["state"], ended["ok"]) == ("running", "finished", True)


def test_a_unit_that_systemd_stops_leaves_no_verdict(prepared: PreparedNode) -> None:
    """SIGTERM to its first process, as when the machine goes down: it ends, and how far it was is not known."""
    with slow(prepared.folder / "work") as work:
        note(prepared, work)
        with as_unit(prepared) as unit:
            pid = work.await_begin()
            unit.terminate()
            assert unit.wait(20) == 0
        assert not alive(pid)
    ended: Any = prepared.ask().observe("operation", {"id": "step-1"}, TIME)
    assert ended["state"] == "vanished"


def test_a_unit_keeps_to_a_policy_that_was_narrowed_meanwhile(prepared: PreparedNode) -> None:
    """Between the launch and its start, the node's administrators may have changed their mind."""
    prepared.write(programs={"observe": ["operation"], "act": []})
    with slow(prepared.folder / "work") as work:
        note(prepared, work)
        with as_unit(prepared) as unit:
            assert unit.wait(20) == 0
        assert not work.begun()
    ended: Any = prepared.ask().observe("operation", {"id": "step-1"}, TIME)
    assert (ended["error"]["class"], "does not allow slow to act" in ended["error"]["what"]) == ("refused", True)


def test_a_request_cannot_name_a_unit(prepared: PreparedNode) -> None:
    """What a forced command was asked for stays unread: only systemd starts the program with words."""
    with slow(prepared.folder / "work") as work:
        note(prepared, work)
        done = prepared.run("operation step-1", b"", TIME)
        assert b"bad-request" in done.stdout
        assert not work.begun()


def test_how_a_unit_is_launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an end, at idle priority unless it starts services, and never ending what it has started."""
    said = tmp_path / "said"
    script = tmp_path / "systemd-run"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\n[ ! -e {tmp_path}/broken ] || {{ echo no bus; exit 1; }}\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("maintainer.node.archive.path", lambda: "/usr/local/lib/maintainer/node.pyz")
    detach.as_unit("step-1", 60, gentle=True)
    words = said.read_text().splitlines()
    assert {"--unit=maintainer-step-1", "--collect", "--property=RuntimeMaxSec=70"} <= set(words)
    assert {"--property=IOSchedulingClass=idle", "--property=Nice=10", "--property=KillMode=process"} <= set(words)
    program = "/usr/local/lib/maintainer/node.pyz"
    assert words[words.index("--") + 1 :] == ["/usr/bin/python3", "-I", "-S", "-B", program, "operation", "step-1"]
    detach.as_unit("step-1", 60, gentle=False)
    assert "--property=IOSchedulingClass=idle" not in said.read_text().splitlines()
    (tmp_path / "broken").touch()
    with pytest.raises(Failed, match="could not be launched: no bus"):
        detach.as_unit("step-1", 60, gentle=True)
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(detach, "_TO_LAUNCH", 0.3)
    detach.as_unit("step-1", 60, gentle=True)  # not known to have failed: systemd may start it yet
