"""Find and end processes that are ours, and no others: a process id alone may have been reused.

Standard library only: the archive's start and stop script waits for these imports each time.
"""

import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

_LOOK_EVERY = 0.02  # seconds


@dataclass(frozen=True)
class Process:
    """A live process: its id, and its start time in clock ticks since boot, which together name it for good."""

    pid: int
    started: int

    def is_alive(self) -> bool:
        return self.started == _started(self.pid)

    def is_suspended(self) -> bool:
        """Tell whether SIGSTOP holds it."""
        return (_stat(self.pid) or ["?"])[0] == "T"

    def send(self, what: signal.Signals) -> None:
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, what)

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; tell whether it has."""
        until = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK_EVERY)
        return True

    def end(self, *, patience: float, polite: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end; after `patience` seconds, end it. One that SIGSTOP holds cannot hear the asking."""
        self.send(polite)
        if not self.wait(patience):
            self.send(signal.SIGCONT)
            self.send(signal.SIGKILL)
            self.wait(5)


def find(pid_file: Path, *marks: str) -> Process | None:
    """Find the live process that a pid file names, if its command line holds every one of `marks` as an argument."""
    try:
        pid = int(pid_file.read_text("ascii").split("\n", 1)[0])
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except (OSError, ValueError):
        return None
    started = _started(pid)
    return Process(pid, started) if started is not None and set(marks) <= set(arguments) else None


def _stat(pid: int) -> list[str] | None:
    """Read the fields of /proc/PID/stat from the state on. Source: proc_pid_stat(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # the command's name before it may hold spaces and brackets


def _started(pid: int) -> int | None:
    fields = _stat(pid)
    # Where nobody collects orphans, as in many containers, an ended process stays on as a zombie.
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def is_free(address: str, port: int) -> bool:
    """Tell whether a server could listen there now."""
    with socket.socket() as probe:
        # As servers do: connections of an earlier one that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
