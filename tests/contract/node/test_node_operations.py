"""What is launched lives on without whoever launched it, once; its verdict is a file, or else nobody knows.

FAULTS 8, 11, 13, 22, 23, 24 and 41 as far as the node alone can show them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, NodeHeld
from maintainer.links.node_program import NodeProgram, zipapp_bytes
from maintainer.node import detach
from maintainer.node.envelope import Failed
from tests.contract.node.own_node import HELD, OwnNode, interpreters
from tests.contract.node.prepared import PreparedNode, prepare
from tests.contract.node.slow_program import TEXT, Slow, alive, parent, slow

TIME = timedelta(seconds=20)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small filesystem takes root")


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The program with one more, as a third party would add it."""
    folder = tmp_path_factory.mktemp("third-party")
    (folder / "act_slow.py").write_text(TEXT)
    return zipapp_bytes([files("tasks.node"), folder])


@pytest.fixture
def work(own_node: OwnNode) -> Iterator[Slow]:
    with slow(own_node.base / "work") as one:
        yield one


def launch(node: OwnNode, work: Slow, key: str = "step-1", seconds: float = 60, **more: bool) -> str:
    return str(node.program().launch(key, "slow", {**work.request, **more}, seconds)["launch"])


def state(node: OwnNode, key: str = "step-1", wait: float = 10) -> Any:
    return node.observe("operation", id=key, wait_seconds=wait)


def supervisor(node: OwnNode) -> int:
    """The process that holds the lock and said so."""
    return int((node.state / "operations" / "running").read_text().split()[1])


@pytest.mark.parametrize("python", interpreters())
def test_launched_is_not_waited_for(own_node: OwnNode, work: Slow, python: str) -> None:
    """The answer comes at once; the operation runs until it ends, and leaves its verdict, on every Python of a node."""
    program = own_node.program(python)
    began = time.monotonic()
    launched = program.launch("step-1", "slow", work.request, 60)
    assert (launched["launch"], launched["state"]) == ("launched", "running")
    assert time.monotonic() - began < 10
    running: Any = program.observe("operation", {"id": "step-1"}, TIME)
    assert (running["state"], running["program"], running["ok"]) == ("running", "slow", None)
    work.await_begin()
    work.go()
    ended: Any = program.observe("operation", {"id": "step-1", "wait_seconds": 10}, TIME)
    assert (ended["state"], ended["ok"], ended["answer"]) == ("finished", True, {"said": "done"})
    assert ended["launched_at"] <= ended["started_at"] <= ended["ended_at"]


def test_a_launch_that_waits_brings_the_verdict(own_node: OwnNode, work: Slow) -> None:
    """What ends within the wait needs no second question; what does not is said to run."""
    program = own_node.program()
    running = program.launch("step-1", "slow", work.request, 60, wait=0.2)
    assert (running["launch"], running["state"]) == ("launched", "running")
    work.go()
    ended = program.launch("step-1", "slow", work.request, 60, wait=20)
    assert (ended["launch"], ended["state"], ended["answer"]) == ("adopted", "finished", {"said": "done"})


def test_what_has_begun_is_never_answered_as_if_it_had_not(own_node: OwnNode, work: Slow) -> None:
    """The node cannot read how it stands: it says that it runs, and whoever asks next hears why it cannot be told."""
    work.go()
    program = own_node.program()
    program.launch("step-1", "slow", work.request, 60, wait=20)
    (own_node.state / "operations" / "step-1.json").write_text("{")
    again = program.launch("step-1", "slow", work.request, 60, wait=1)
    assert (again["launch"], again["state"]) == ("adopted", "running")
    with pytest.raises(CouldNotLook):
        program.observe("operation", {"id": "step-1"}, TIME)


@pytest.mark.fault(13)
def test_fault_13_a_second_launch_adopts_the_first(own_node: OwnNode, work: Slow) -> None:
    """Whether it runs or has ended: nothing is begun a second time."""
    assert launch(own_node, work) == "launched"
    work.await_begin()
    assert launch(own_node, work) == "adopted"
    work.go()
    assert state(own_node)["state"] == "finished"
    assert launch(own_node, work) == "adopted"
    assert len(work.begun()) == 1


def test_an_id_is_for_one_thing(own_node: OwnNode, work: Slow) -> None:
    """Another request under a known id is refused, and an id that is a path is none."""
    work.go()
    launch(own_node, work)
    state(own_node)
    with pytest.raises(ActionFailed, match="another operation had this id"):
        own_node.program().launch("step-1", "quarantine", {"root": "spool"}, 60)
    for key in ("../lease", "", "x" * 65, "Step"):
        with pytest.raises(ActionFailed, match="not an id"):
            launch(own_node, work, key=key) if key else own_node.act("cancel", id=key)


def test_one_at_a_time(own_node: OwnNode, work: Slow) -> None:
    """While one runs no other is launched; right after its verdict the next one is."""
    launch(own_node, work)
    with pytest.raises(ActionFailed, match="another operation still runs on this node: step-1"):
        launch(own_node, work, key="step-2")
    assert state(own_node, "step-2", 0)["state"] == "unknown-id"
    work.go()
    state(own_node)
    assert launch(own_node, work, key="step-2") == "launched"
    assert state(own_node, "step-2")["ok"] is True


@pytest.mark.fault(11)
def test_fault_11_the_launcher_dies_and_the_operation_lives(own_node: OwnNode, work: Slow) -> None:
    """Killed with its whole process group right after it answered; the lock stays held, the verdict comes."""
    prefix = own_node.base / "launcher"
    own_node.prefix = ("/bin/sh", "-c", f'echo $$ > {prefix}; exec "$@"', "launcher")
    own_node.how = {"start_new_session": True}
    launch(own_node, work)
    group = int(prefix.read_text())
    with pytest.raises(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)  # nothing of the operation is left in it
    pid = work.await_begin()
    assert os.getsid(pid) != group
    assert state(own_node, wait=0)["state"] == "running"
    work.go()
    assert state(own_node)["ok"] is True


@pytest.mark.fault(11)
def test_fault_11_killed_in_the_middle_of_launching(own_node: OwnNode, work: Slow) -> None:
    """However far a launcher got, the next one with this id begins it at most once."""
    for pause in (0.05, 0.1, 0.15, 0.2, 0.3):
        argv, text = launching(own_node, work)
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment(own_node))
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
        time.sleep(pause)
        process.kill()
        process.wait()
    assert launch(own_node, work) in {"launched", "adopted"}
    work.go()
    assert state(own_node)["state"] in {"finished", "vanished"}
    assert len(work.begun()) <= 1


def launching(node: OwnNode, work: Slow) -> tuple[list[str], bytes]:
    """What a link would send."""
    sent: list[tuple[list[str], bytes]] = []

    def run(command: str, stdin: bytes, _timeout: timedelta) -> Any:
        sent.append((["/bin/sh", "-c", command], stdin))
        raise CouldNotLook("not sent")

    program = NodeProgram("pacs-a", run, node.policy, node.zipapp, lease=HELD)
    with pytest.raises(CouldNotLook, match="not sent"):
        program.launch("step-1", "slow", {**work.request}, 60)
    return sent[0]


def environment(node: OwnNode) -> dict[str, str]:
    return {**os.environ, "HOME": str(node.home)}


@pytest.mark.fault(8)
def test_fault_8_it_ends_at_its_deadline_by_itself(own_node: OwnNode, work: Slow) -> None:
    """Nobody asks any more; the verdict says that time was over."""
    launch(own_node, work, seconds=1)
    pid = work.await_begin()
    time.sleep(1.3)
    assert not alive(pid)
    ended = state(own_node)
    assert (ended["ok"], ended["error"]["class"]) == (False, "deadline")


@pytest.mark.fault(22)
def test_fault_22_one_that_does_not_stop_is_killed(own_node: OwnNode, work: Slow) -> None:
    """Deaf to its own alarm, it is ended a few seconds later, and the verdict says so."""
    launch(own_node, work, seconds=0.5, deaf=True)
    pid = work.await_begin()
    ended = state(own_node)
    assert (ended["ok"], ended["error"]["class"]) == (False, "deadline")
    assert "did not stop by itself" in ended["error"]["what"]
    assert not alive(pid)


@pytest.mark.fault(22)
def test_fault_22_killed_by_somebody(own_node: OwnNode, work: Slow) -> None:
    """What killed it is the verdict; its supervisor wrote it."""
    launch(own_node, work)
    os.kill(work.await_begin(), signal.SIGKILL)
    ended = state(own_node)
    assert (ended["ok"], ended["error"]["what"]) == (False, "signal 9 ended it")


@pytest.mark.fault(22)
def test_fault_22_its_supervisor_killed(own_node: OwnNode, work: Slow) -> None:
    """The worker goes on, still holds the lock and writes its own verdict."""
    launch(own_node, work)
    pid = work.await_begin()
    assert parent(pid) == supervisor(own_node)
    os.kill(supervisor(own_node), signal.SIGKILL)
    assert state(own_node, wait=0.3)["state"] == "running"
    work.go()
    assert state(own_node)["ok"] is True


@pytest.mark.fault(22)
def test_fault_22_both_killed(own_node: OwnNode, work: Slow) -> None:
    """Nobody is left to write a verdict: it has vanished, which is neither done nor failed."""
    launch(own_node, work)
    pid = work.await_begin()
    os.kill(supervisor(own_node), signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    vanished = state(own_node)
    assert (vanished["state"], vanished["ok"], vanished["program"]) == ("vanished", None, "slow")
    work.go()
    assert launch(own_node, work, key="step-2") == "launched"


@pytest.mark.fault(22)
def test_fault_22_one_that_ends_without_a_word(own_node: OwnNode, work: Slow) -> None:
    """Nobody stopped it, and what it did it did not say: that is not for its supervisor to guess."""
    work.go()
    launch(own_node, work, silent=True)
    assert state(own_node)["state"] == "vanished"


def test_fault_22_a_verdict_that_was_removed(own_node: OwnNode, work: Slow) -> None:
    """Without its result file a finished operation has vanished."""
    work.go()
    launch(own_node, work)
    state(own_node)
    time.sleep(5.1)  # as long as it might only just begin
    (own_node.state / "operations" / "step-1.json").unlink()
    assert state(own_node, wait=0)["state"] == "vanished"


@pytest.mark.fault(23)
def test_fault_23_another_boot(own_node: OwnNode, work: Slow) -> None:
    """What was launched in an earlier boot and left no verdict was interrupted; with one, the verdict counts."""
    work.go()
    launch(own_node, work)
    state(own_node)
    note = own_node.state / "operations" / "step-1.launch"
    note.write_text(json.dumps({**json.loads(note.read_text()), "boot_id": "another"}))
    assert state(own_node)["state"] == "finished"
    (own_node.state / "operations" / "step-1.json").unlink()
    assert state(own_node, wait=0)["state"] == "interrupted"


@pytest.mark.fault(24)
@needs_root
def test_fault_24_a_full_disk_leaves_no_verdict(own_node: OwnNode, work: Slow) -> None:
    """It was done, and nobody can say so: vanished. While the disk is full nothing new begins."""
    operations = own_node.state / "operations"
    operations.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(operations)], check=True)
    try:
        launch(own_node, work)
        work.await_begin()
        fill(operations / "filler")
        work.go()
        assert state(own_node)["state"] == "vanished"
        with pytest.raises(ActionFailed, match=r"cannot note what it does.*No space left") as caught:
            launch(own_node, work, key="step-2")
        assert "make room" in caught.value.hint
        assert len(work.begun()) == 1
    finally:
        subprocess.run(["umount", "-l", str(operations)], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 512)


def test_cancelled(own_node: OwnNode, work: Slow) -> None:
    """It ends at once, and the verdict says why; to cancel it again, or what never was, does nothing."""
    launch(own_node, work)
    pid, began = work.await_begin(), time.monotonic()
    assert own_node.act("cancel", id="step-1") == {"state": "finished"}
    assert time.monotonic() - began < 4, "it was told, not killed"
    ended = state(own_node)
    assert (ended["ok"], ended["error"]["what"]) == (False, "it was cancelled")
    assert not alive(pid)
    assert own_node.act("cancel", id="step-1") == {"state": "finished"}
    assert own_node.act("cancel", id="step-9") == {"state": "unknown-id"}


def test_a_deaf_one_is_cancelled_by_force(own_node: OwnNode, work: Slow) -> None:
    """What does not hear is killed after its grace."""
    launch(own_node, work, deaf=True)
    pid = work.await_begin()
    assert own_node.act("cancel", id="step-1") == {"state": "finished"}
    assert state(own_node)["error"]["what"] == "it was cancelled"
    assert not alive(pid)


def test_the_number_of_a_dead_supervisor_is_not_signalled(own_node: OwnNode, work: Slow) -> None:
    """A lock's file that names a process of another time hurts nobody."""
    launch(own_node, work)
    work.await_begin()
    note = own_node.state / "operations" / "running"
    time.sleep(0.05)  # in another tick of the kernel's clock
    with subprocess.Popen(["sleep", "60"]) as innocent:
        note.write_text(note.read_text().replace(str(supervisor(own_node)), str(innocent.pid), 1))
        own_node.act("cancel", seconds=3, id="step-1")
        assert innocent.poll() is None
        innocent.kill()


def test_what_is_launched_lets_everyone_else_go_first(own_node: OwnNode, work: Slow) -> None:
    """Unlike a service's start: what that leaves running would go last for ever."""
    work.go()
    launch(own_node, work)
    state(own_node)
    assert work.niceness() >= min(19, os.nice(0) + 10)
    script = own_node.base / "start.sh"
    script.write_text(f"#!/bin/sh\nnice > {own_node.base}/nice; exit 1\n")
    script.chmod(0o755)
    argv = [str(script)]
    service = {"start": argv, "stop": argv, "status": argv, "pid_file": "/nowhere/pid", "timeout_seconds": 5}
    own_node.policy["services"]["archive"] = service
    own_node.program().launch("step-2", "restart", {"services": ["archive"], "stop_first": []}, 30)
    assert state(own_node, "step-2")["ok"] is False
    assert int((own_node.base / "nice").read_text()) == os.nice(0)


def test_a_task_program_that_breaks_leaves_a_sentence(own_node: OwnNode) -> None:
    """Its verdict is that of a direct call."""
    own_node.program().launch("step-1", "quarantine", {"root": "nowhere"}, 30)
    assert "no cleanup root of that name" in state(own_node)["error"]["what"]


def test_only_what_acts_is_launched_and_only_by_the_holder(own_node: OwnNode, work: Slow) -> None:
    """Neither an unknown program nor somebody without the lease begins anything."""
    with pytest.raises(ActionFailed, match="no program hello to act"):
        own_node.program().launch("step-1", "hello", {}, 30)
    stale = own_node.program(lease={**HELD, "run": "r0"})
    with pytest.raises(NodeHeld, match="fenced"):
        stale.launch("step-1", "slow", work.request, 30)
    assert not work.begun()


def test_old_verdicts_are_forgotten(own_node: OwnNode, work: Slow) -> None:
    """Beyond 200, or 90 days; what somebody else put there stays."""
    work.go()
    folder = own_node.state / "operations"
    folder.mkdir(mode=0o700)
    now = time.time()
    for number in range(220):
        for ending in (".launch", ".json"):
            file = folder / f"step-old-{number:03}{ending}"
            file.write_text("{}")
            os.utime(file, (now - number, now - number))
    ancient, foreign = folder / "step-ancient.json", folder / "README"
    for file in (ancient, foreign):
        file.write_text("{}")
        os.utime(file, (now - 100 * 86400,) * 2)
    launch(own_node, work)
    state(own_node)
    assert foreign.exists()
    assert not ancient.exists()
    assert len(list(folder.glob("step-*.json"))) <= 202
    assert (folder / "step-old-000.json").exists()
    assert not (folder / "step-old-219.json").exists()


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
