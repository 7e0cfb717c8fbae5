"""Reading the log's file without disturbing its writer."""

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from maintainer.errors import LogError
from maintainer.intervention_log import chain
from maintainer.intervention_log.durable_file import explained

CLOSED = -1
PATIENCE = 30.0
"""Seconds to wait for another process to end its append, which takes milliseconds."""


class Lock:
    """The lock on an open log, held for a moment at a time. It goes with the descriptor when that is closed.

    A class, because it is entered for each record: right after a wait for the disk, a generator costs 4 µs more.

    Raises:
        LogError: on entering; the log was closed, or somebody has held it for much longer than an append takes.
    """

    def __init__(self, descriptor: int, path: Path, how: int) -> None:
        self._descriptor, self._path, self._how = descriptor, path, how

    def __enter__(self) -> None:
        if self._descriptor == CLOSED:
            raise LogError(
                "this log was closed, or stopped after a disk error",
                where=str(self._path),
                hint="see dmesg; open it again in a new run once the disk is sound",
            )
        if not _try_lock(self._descriptor, self._how):
            self._wait()

    def __exit__(self, *_error: object) -> None:
        if self._descriptor != CLOSED:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor != CLOSED:
            os.close(self._descriptor)
            self._descriptor = CLOSED

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not _try_lock(self._descriptor, self._how):
            if time.monotonic() > deadline:
                raise LogError(
                    f"another process has held the log for {PATIENCE:.0f} s",
                    where=str(self._path),
                    hint=f"`fuser {self._path}` says who: a stopped or hanging maintainer; end it, then try again",
                )
            time.sleep(0.002)


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


def find(path: Path, seq: int) -> chain.Link | None:
    """Find a record by its number without reading all before it: it vouches for itself alone.

    None: it is not there, or a record on the way to it is not whole, which `follow` says more of.
    """
    low, high = 0, _settled_size(path)
    if not high:
        return None
    with explained(path, "read the log"), path.open("rb") as file:
        while low < high:
            middle = (low + high) // 2
            link = _first_after(file, low, middle, high)
            if link and link.seq == seq:
                return link
            if link and link.seq < seq:
                low = link.end
            else:
                high = middle  # also where none begins in between: the one at `low` is that long
    return None


def _first_after(file: BinaryIO, low: int, middle: int, high: int) -> chain.Link | None:
    """Read the first record that begins at or after `middle`, and before `high`; one begins at `low`."""
    file.seek(max(low, middle - 1))
    if middle > low:
        file.readline(chain.MAX_LINE + 1)
    begin = file.tell()
    line = file.readline(chain.MAX_LINE + 1) if begin < high else b""
    return chain.read_link(line, begin + len(line))


def _settled_size(path: Path) -> int:
    """Find the size of the file at a moment when nobody is writing a record."""
    with explained(path, "read the log"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        lock = Lock(descriptor, path, fcntl.LOCK_SH)
        try:
            with lock:
                return os.fstat(descriptor).st_size
        finally:
            lock.close()
