"""What is launched lives on without whoever launched it, and begins once."""

import os
import signal
import subprocess
import time
from datetime import timedelta
from typing import Any

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, NodeHeld
from maintainer.links.node_program import NodeProgram
from tests.contract.node.operations.launched import TIME, launch, state
from tests.contract.node.own_node import HELD, OwnNode, interpreters
from tests.contract.node.slow_program import Slow


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


def test_only_what_acts_is_launched_and_only_by_the_holder(own_node: OwnNode, work: Slow) -> None:
    """Neither an unknown program nor somebody without the lease begins anything."""
    with pytest.raises(ActionFailed, match="no program hello to act"):
        own_node.program().launch("step-1", "hello", {}, 30)
    stale = own_node.program(lease={**HELD, "run": "r0"})
    with pytest.raises(NodeHeld, match="fenced"):
        stale.launch("step-1", "slow", work.request, 30)
    assert not work.begun()
