"""What an operation came to is a file, or else nobody knows."""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from maintainer.errors import ActionFailed
from tests.contract.node.operations.launched import launch, state, supervisor
from tests.contract.node.own_node import OwnNode
from tests.contract.node.slow_program import Slow, alive, parent

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small filesystem takes root")


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


def test_a_task_program_that_breaks_leaves_a_sentence(own_node: OwnNode) -> None:
    """Its verdict is that of a direct call."""
    own_node.program().launch("step-1", "quarantine", {"root": "nowhere"}, 30)
    assert "no cleanup root of that name" in state(own_node)["error"]["what"]


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
