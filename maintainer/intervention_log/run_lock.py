"""One run at a time on one controller. The lock is the kernel's: it ends with the process, however that ends."""

import datetime as dt
import fcntl
import getpass
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from maintainer.errors import Busy
from maintainer.intervention_log.durable_file import PRIVATE_FILE, explained, make_folder
from maintainer.model.values import Value

RUN_LOCK = "run.lock"
GLANCE = 0.2
"""Seconds to try: `holder` takes the lock for an instant, which must not stop a run from starting."""


class Holder(Value):
    """Who holds the controller."""

    pid: int
    user: str
    host: str
    since: str
    command: str

    def __str__(self) -> str:
        return f"{self.command!r}, process {self.pid} of {self.user} on {self.host}, since {self.since}"


class RunLock:
    """Held while a run may act: `with RunLock(state, command="maintainer run"): …`.

    Raises:
        Busy: on entering, when another run holds it; says who.
    """

    def __init__(self, state: Path, *, command: str) -> None:
        self._path, self._command = state / RUN_LOCK, command
        self._descriptor = -1

    def __enter__(self) -> Self:
        make_folder(self._path.parent)
        with explained(self._path, "lock the controller"):
            # Close-on-exec: a program started by the run must not keep the controller locked after the run's end.
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
            try:
                self._take(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
        return self

    def _take(self, descriptor: int) -> None:
        if not _lock_within(descriptor, GLANCE):
            raise _busy(_read_holder(descriptor), self._path)
        _write_holder(descriptor, self._command)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.ftruncate(self._descriptor, 0)
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # for a child too that is about to exec and still has a copy
        os.close(self._descriptor)


def holder(state: Path) -> Holder | None:
    """Say who holds the controller now. What a dead holder left in the file counts for nothing."""
    path = state / RUN_LOCK
    with explained(path, "look at the controller's lock"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return None if _lock_within(descriptor, 0) else _read_holder(descriptor)
        finally:
            os.close(descriptor)


def _lock_within(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _write_holder(descriptor: int, command: str) -> None:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    me = Holder(pid=os.getpid(), user=_user(), host=socket.gethostname(), since=now, command=command)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, me.model_dump_json().encode(), 0)


def _read_holder(descriptor: int) -> Holder:
    try:
        return Holder.model_validate_json(os.pread(descriptor, 4096, 0))
    except ValidationError:
        unknown = "not said"  # it took the lock an instant ago and has not written who it is
        return Holder(pid=0, user=unknown, host=unknown, since=unknown, command="a run that is starting")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"  # a container's user may have no name


def _busy(other: Holder, path: Path) -> Busy:
    return Busy(
        f"another run holds this controller: {other}",
        where=str(path),
        hint="wait for it to end; `maintainer status` shows what it is doing",
    )
