"""A lab leaves nothing behind: not when it is ended, not when whoever holds it is killed; and labs do not meet."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.image import LabError
from tests.lab.lab import REPOSITORY, Lab
from tests.lab.leftovers import CGROUP_TOPS, claim, folder_of, owner, sweep

pytestmark = pytest.mark.timeout(600, func_only=True)

HOLD_A_LAB = (
    "import sys, tests.lab.lab as t; lab = t.Lab.up(sys.argv[1]); print(lab.room.pid, flush=True); sys.stdin.read()"
)


def test_a_lab_that_is_ended_leaves_nothing(lab: Lab) -> None:
    """Two labs at once, with the same addresses; ending one takes all of it away, and nothing of the other."""
    other = Lab.up()
    spaces = set(_namespaces(other.room.pid))
    assert len(spaces) == 3
    assert list(_traces(other.folder.name, spaces)) != []
    other.down()
    assert list(_traces(other.folder.name, spaces)) == []
    assert all(node.answers_echo() for node in lab.nodes.values())


def test_a_lab_whose_holder_is_killed_is_swept_up(lab: Lab) -> None:
    """The kernel ends its machines, mounts and network at once; the next lab removes its folder and control groups."""
    name = f"killed-{os.getpid()}"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_LAB, name], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder.stdin, holder.stdout:
        spaces = set(_namespaces(int(holder.stdout.readline())))
        assert owner(name) == holder.pid
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    sweep()
    assert list(_traces(folder_of(name).name, spaces)) == []
    assert all(node.answers_echo() for node in lab.nodes.values())


def test_a_name_is_taken_once() -> None:
    """Who asks for a lab that is up is told whose it is, and does not get into it."""
    with claim("taken"), pytest.raises(LabError, match=f"taken is up already .process {os.getpid()}."):
        Lab.up("taken")
    assert not folder_of("taken").exists()


def test_nobody_else_reaches_the_nodes(lab: Lab) -> None:
    """Their addresses exist on the lab's network only: this machine has no interface and no route for them."""
    assert "10.20.0" not in subprocess.run(["ip", "addr"], check=True, capture_output=True, text=True).stdout
    assert "10.20.0" not in subprocess.run(["ip", "route"], check=True, capture_output=True, text=True).stdout
    assert lab.room.do("ip", "route").split()[0] == "10.20.0.0/24"
    assert "default" not in lab.room.do("ip", "route")


def _namespaces(pid: int) -> Iterator[str]:
    for kind in ("mnt", "net", "pid"):
        yield os.readlink(f"/proc/{pid}/ns/{kind}")  # noqa: PTH115 (the link leads nowhere)


def _traces(name: str, spaces: set[str]) -> Iterator[str]:
    """Look for anything of a lab: folder, control groups, processes in its namespaces, mounts whoever sees them."""
    yield from (str(path) for path in folder_of("x").parent.glob(f"{name}*"))
    yield from (str(path) for top in CGROUP_TOPS for path in top.glob(f"{name}*"))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside, mounts = set(_namespaces(int(process.name))), (process / "mountinfo").read_text()
        except OSError:
            continue
        if inside & spaces or name in mounts:
            yield (process / "cmdline").read_text()
