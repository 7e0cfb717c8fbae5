"""What a lab puts where the kernel does not take it away by itself: a folder and control groups, under a lock.

Whoever is killed leaves them behind, unlocked; the next lab sweeps them up.
"""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.lab.image import CACHE, LabError, remove

RUNNING = CACHE / "running"
PREFIX = "maintainer-lab-"
CGROUP_TOPS = tuple(
    top
    for top in map(Path, ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"))
    if (top / "cgroup.procs").exists()
)
_ENDS_WITHIN = 20  # seconds; processes of somebody who was just killed


@contextlib.contextmanager
def claim(name: str) -> Iterator[Path]:
    """Lend a folder under that name, and the control groups that begin with it, until the block ends.

    Raises:
        LabError: a lab of that name is up; says whose.
    """
    folder = folder_of(name)
    with contextlib.ExitStack() as held:
        with _alone():
            lock = held.enter_context(folder.with_suffix(".lock").open("a+"))
            if not _locked(lock.fileno()):
                raise LabError(f"the lab {name} is up already (process {owner(name)})")
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
        _clear(folder)
        folder.mkdir(mode=0o755)
        try:
            yield folder
        finally:
            _clear(folder)
            folder.with_suffix(".lock").unlink()


def folder_of(name: str) -> Path:
    """Say where the lab of that name keeps everything; its lock lies beside."""
    return RUNNING / f"{PREFIX}{name}"


def owner(name: str) -> int | None:
    """Give the process that holds the lab of that name, if one does."""
    with contextlib.suppress(FileNotFoundError), folder_of(name).with_suffix(".lock").open("r+") as lock:
        if not _locked(lock.fileno()):
            return int(lock.read() or 0)
    return None


def sweep() -> None:
    """Remove what labs left whose owner is gone."""
    with _alone():
        for lock_file in RUNNING.glob(f"{PREFIX}*.lock"):
            with contextlib.suppress(FileNotFoundError), lock_file.open("r+") as lock:
                if _locked(lock.fileno()):
                    _clear(lock_file.with_suffix(""))
                    lock_file.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let nobody claim or sweep meanwhile: a lock file that was just made, and not locked yet, is nobody's leftover."""
    RUNNING.mkdir(parents=True, exist_ok=True)
    with (RUNNING / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _clear(folder: Path) -> None:
    for top in CGROUP_TOPS:
        for cgroup in top.glob(f"{folder.name}-*"):
            await_end(cgroup)
            cgroup.rmdir()
    remove(folder)


def kill_all_in(cgroups: Iterable[Path]) -> None:
    """End every process of a machine by its control groups: at once, where the kernel can do that."""
    switches = [switch for cgroup in cgroups if (switch := cgroup / "cgroup.kill").exists()]
    for switch in switches:
        switch.write_text("1")
    if not switches:
        for processes in (file for cgroup in cgroups for file in cgroup.rglob("cgroup.procs")):
            with contextlib.suppress(OSError):
                for process in processes.read_text().split():
                    os.kill(int(process), signal.SIGKILL)


def await_end(cgroup: Path) -> None:
    """Wait for every process of a control group to end, and remove the groups below it.

    Raises:
        LabError: some live on.
    """
    until = time.monotonic() + _ENDS_WITHIN
    while True:
        for below in sorted((d for d in cgroup.rglob("*") if d.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                below.rmdir()
        if not any(d.is_dir() for d in cgroup.iterdir()) and not (cgroup / "cgroup.procs").read_text():
            return
        if time.monotonic() > until:
            raise LabError(f"processes of a lab live on in {cgroup}")
        time.sleep(0.05)
