"""Reading the log's file without disturbing its writer."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maintainer.errors import LogError
from maintainer.intervention_log import chain
from maintainer.intervention_log.durable_file import explained

PATIENCE = 30.0
"""Seconds to wait for another process to end its append, which takes milliseconds."""


@contextmanager
def locked(descriptor: int, path: Path, how: int) -> Iterator[None]:
    """Hold the log's lock for a moment.

    Raises:
        LogError: somebody has held it for much longer than an append takes.
    """
    deadline = time.monotonic() + PATIENCE
    while not _try_lock(descriptor, how):
        if time.monotonic() > deadline:
            raise LogError(
                f"another process has held the log for {PATIENCE:.0f} s",
                where=str(path),
                hint=f"`fuser {path}` says who: a stopped or hanging maintainer; end it, then try again",
            )
        time.sleep(0.002)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _try_lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Lines:
    """The lines of a log as they stood at one moment; may be walked again. A log that does not exist has none.

    An unfinished last line (a crash, or a writer at work on a filesystem without locks) is left out unless `torn`.
    """

    def __init__(self, path: Path, *, start: int = 0, stop: int | None = None, torn: bool = False) -> None:
        self._path, self._start, self._torn = path, start, torn
        self._stop = stop if stop is not None else _settled_size(path)

    def __iter__(self) -> Iterator[bytes]:
        if self._stop <= self._start:
            return
        with explained(self._path, "read the log"), self._path.open("rb") as file:
            file.seek(self._start)
            left = self._stop - self._start
            while left > 0 and (line := file.readline(min(left, chain.MAX_LINE + 1))):
                left -= len(line)
                if self._torn or left > 0 or line.endswith(b"\n"):
                    yield line


def follow(
    path: Path, after: chain.Link = chain.GENESIS, *, stop: int | None = None, torn: bool = False
) -> Iterator[chain.Link]:
    """Read a log's records from `after` on, vouching for each.

    Raises:
        ChainBroken: at the first that does not follow, naming the file.
    """
    try:
        yield from chain.walk(Lines(path, start=after.end, stop=stop, torn=torn), after)
    except chain.ChainBroken as broken:
        broken.locate(path)
        raise


def _settled_size(path: Path) -> int:
    """Find the size of the file at a moment when nobody is writing a record."""
    with explained(path, "read the log"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        try:
            with locked(descriptor, path, fcntl.LOCK_SH):
                return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
