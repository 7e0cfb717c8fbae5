"""A room of its own for one lab: mounts, network and processes that the kernel takes away when its first process ends.

That process waits for the end of its standard input, so the room also goes when whoever made it is killed. What the
kernel does not take away, a folder and some control groups, the next lab sweeps up: see `tests.lab.leftovers`.
"""

import contextlib
import ctypes
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.lab.image import LabError, NoLabError, environment

CONTROLLER = "10.20.0.1"
BRIDGE = "br0"

_ENDS_WITHIN = 30  # seconds
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
# CHLD is ignored, so that orphans of the room are reaped by the kernel.
_FIRST_PROCESS = f"""
set -eu
trap '' CHLD
mkdir -p /run/netns /run/systemd/nspawn
mount -t tmpfs lab /run/netns
mount -t tmpfs lab /run/systemd/nspawn
ip link set lo up
ip link add {BRIDGE} type bridge
ip addr add {CONTROLLER}/24 dev {BRIDGE}
ip link set {BRIDGE} up
echo ready
exec cat >/dev/null
"""


class Room:
    """A room, named by its first process. Its network has no way out: addresses in it exist nowhere else."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Give the command that runs `argv` among the room's mounts, network and processes."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--", *argv]

    def on_its_network(self, argv: Sequence[str]) -> list[str]:
        """Give the command that runs `argv` on this machine's files, but on the room's network."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *argv]

    def do(self, *argv: str) -> str:
        """Run a command inside, to its end.

        Raises:
            LabError: it failed.
        """
        done = subprocess.run(
            self.inside(argv), capture_output=True, stdin=subprocess.DEVNULL, text=True, check=False, env=environment()
        )
        if done.returncode != 0:
            raise LabError(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Let this thread, and those that it starts meanwhile, make their sockets on the room's network."""
        outside, room = (os.open(f"/proc/{who}/ns/net", os.O_RDONLY) for who in ("thread-self", self.pid))
        try:
            _enter(room)
            yield
        finally:
            _enter(outside)
            os.close(outside)
            os.close(room)


class Enclosure(Room):
    """A room of our own.

    Raises:
        NoLabError: this machine allows none.
    """

    def __init__(self) -> None:
        argv = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._holder = subprocess.Popen(
            [*argv, "sh", "-c", _FIRST_PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            start_new_session=True,  # Ctrl-C is for the one who holds the room, not for the room
        )
        if self._holder.stdout is None or self._holder.stdout.readline() != b"ready\n":
            self.close()
            raise NoLabError("no namespaces can be made here: is this a container without CAP_SYS_ADMIN?")
        super().__init__(only_child(self._holder.pid))

    def close(self) -> None:
        """End every process of the room; comes back when none is left."""
        for pipe in (self._holder.stdin, self._holder.stdout):
            if pipe:
                pipe.close()
        # The kernel lets the first process of a room end only after all others have.
        self._holder.wait(_ENDS_WITHIN)


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def only_child(pid: int, within: float = 10) -> int:
    """Wait for a process to have exactly one child, and give its number.

    Raises:
        LabError: it had none, or several, all the time.
    """
    until = time.monotonic() + within
    while True:
        with contextlib.suppress(OSError):
            children = [c for t in Path(f"/proc/{pid}/task").iterdir() for c in (t / "children").read_text().split()]
            if len(children) == 1:
                return int(children[0])
        if time.monotonic() >= until:
            raise LabError(f"process {pid} did not start what it should have")
        time.sleep(0.02)
