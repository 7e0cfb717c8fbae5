"""An acting program of a third party that takes as long as a test wants, and notes how often it was begun."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

from maintainer.links.node_program import zipapp_bytes

TEXT = """
import os
import time

from maintainer.node.envelope import mapping


def run(request, policy, deadline):
    mapping(request, "request", ("folder",), ("deaf", "silent"))
    note(request["folder"], "begun", "%d %d\\n" % (os.getpid(), os.nice(0)))
    while not os.path.exists(os.path.join(request["folder"], "go")):
        try:
            time.sleep(0.01)
        except BaseException:
            if not request.get("deaf"):
                raise
    if request.get("silent"):
        os._exit(0)
    return {"said": "done"}


def note(folder, name, line):
    descriptor = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)
"""


def with_slow(folder: Path) -> bytes:
    """The node program with this one in it, from a folder of its own."""
    (folder / "act_slow.py").write_text(TEXT)
    return zipapp_bytes([files("tasks.node"), folder])


class Slow:
    """What the program does in one folder. `go` lets it end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def request(self) -> dict[str, str]:
        return {"folder": str(self.folder)}

    def begun(self) -> list[int]:
        """Process ids of those that were ever begun, oldest first."""
        return [pid for pid, _ in self._lines()]

    def niceness(self) -> int:
        return self._lines()[0][1]

    def _lines(self) -> list[tuple[int, int]]:
        note = self.folder / "begun"
        lines = note.read_text().splitlines() if note.exists() else []
        return [(int(pid), int(nice)) for pid, nice in (line.split() for line in lines)]

    def go(self) -> None:
        (self.folder / "go").touch()

    def await_begin(self) -> int:
        until = time.monotonic() + 20
        while not self.begun():
            assert time.monotonic() < until, "it was never begun"
            time.sleep(0.01)
        return self.begun()[0]


@contextmanager
def slow(folder: Path) -> Iterator[Slow]:
    """The program's folder; whatever the test has left running is ended."""
    folder.mkdir()
    one = Slow(folder)
    try:
        yield one
    finally:
        one.go()
        for pid in one.begun():
            _end(pid, str(folder.parent))


def _end(pid: int, mark: str) -> None:
    """By its number, if it is still that process: it ends by itself within milliseconds of `go`."""
    time.sleep(0.05)
    with suppress(OSError):
        if alive(pid) and mark in Path(f"/proc/{pid}/environ").read_text():
            os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
