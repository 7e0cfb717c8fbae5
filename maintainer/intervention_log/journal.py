"""The durable file that is the truth: one line a record, on disk before `append` returns.

One writer at a time, by a lock held for one append, so that a person's note and a run interleave in one chain.
"""

import datetime as dt
import errno
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from maintainer.errors import LogError
from maintainer.intervention_log import chain
from maintainer.intervention_log.durable_file import (
    NO_ROOM,
    PRIVATE_FILE,
    explained,
    make_folder,
    sync_folder,
    write_new,
)
from maintainer.intervention_log.lines import CLOSED, Lock, follow
from maintainer.intervention_log.record import Fields, Kind, Record, read_record, write_time
from maintainer.intervention_log.reserve import Reserve

JOURNAL = "interventions.jsonl"
RESERVE = "reserve"


class Journal:
    """The file opened for appending. Threads may share it; a forked child must open its own."""

    def __init__(self, state: Path, *, origin: str, clock: Callable[[], dt.datetime]) -> None:
        """Open the log, or begin one.

        Raises:
            LogError: it cannot be written, its end was altered, it belongs to another site, or there is no reserve.
        """
        make_folder(state)
        self.path = state / JOURNAL
        self._name = str(self.path)
        self._origin, self._clock = origin, clock
        self._reserve = Reserve(state / RESERVE)
        self._threads = threading.Lock()
        self._head = chain.GENESIS
        self._descriptor = self._open()
        self._lock = Lock(self._descriptor, self.path, fcntl.LOCK_EX)
        try:
            self._opened = os.fstat(self._descriptor)
            self._reserve.take()
            self._head = self._find_head()
            with self.alone():
                self._check_origin()
        except BaseException:
            self.close()
            raise

    @property
    def head(self) -> chain.Link:
        return self._head

    def close(self) -> None:
        self._lock.close()
        self._descriptor = CLOSED

    def append(self, kind: Kind, run: str, fields: Fields) -> Record:
        """Write one record and wait until it is on disk. An intent is given an id, in `step`, unless it brings one.

        Raises:
            LogError: it is not. After a disk error this journal never writes again.
        """
        with self._threads, self._lock:
            self._catch_up()
            return self._append(kind, run, fields)

    def _append(self, kind: Kind, run: str, fields: Fields) -> Record:
        if kind is Kind.INTENT:
            self._reserve.take()  # no action starts unless its ending could be written on a full disk
            # Random: after an old disk was restored, a counted id could adopt another night's job on the node.
            fields = {"step": f"step-{os.urandom(8).hex()}", **fields}
        record = Record(
            seq=self._head.seq + 1,
            prev=self._head.hash,
            time=write_time(self._clock()),
            origin=self._origin,
            run=run,
            kind=kind,
            **fields,
        )
        line, digest = chain.seal(record.body())
        if len(line) > chain.MAX_LINE:
            raise LogError(f"a record of {len(line)} bytes is too large", where=str(self.path))
        self._write(line, may_use_reserve=kind is not Kind.INTENT)
        self._head = chain.Link(record.seq, digest, self._head.end + len(line), line)
        return record.sealed(digest)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with explained(self.path, "open the intervention log"):
            try:
                return os.open(self.path, flags)
            except FileNotFoundError:
                descriptor = os.open(self.path, flags | os.O_CREAT, PRIVATE_FILE)
                sync_folder(self.path.parent)
                return descriptor

    @contextmanager
    def alone(self) -> Iterator[Callable[[Kind, str, Fields], Record]]:
        """Hold the log against threads and processes, with everything read that others wrote meanwhile."""
        with self._threads, self._lock:
            self._catch_up()
            yield self._append

    def _catch_up(self) -> None:
        try:
            named = os.stat(self._name)  # noqa: PTH116 (asked for each record: half the time of Path.stat)
        except OSError as error:
            raise self._explained(error, "look at the intervention log") from error
        if not os.path.samestat(self._opened, named) or named.st_size < self._head.end:
            raise LogError(
                "the log was replaced or cut while it was in use",
                where=str(self.path),
                hint="find out who did it; `maintainer log verify` says whether what is there now is whole",
            )
        if named.st_size > self._head.end:
            self._read_on(named.st_size)

    def _read_on(self, size: int) -> None:
        """Follow what others wrote; what a crash left unfinished at the end is set aside."""
        try:
            for link in follow(self.path, self._head, stop=size, torn=True):
                self._head = link
        except chain.ChainBroken:
            rest = os.pread(self._descriptor, chain.MAX_LINE + 1, self._head.end)
            if not _is_torn(rest):
                raise
            self._set_aside(rest)

    def _set_aside(self, rest: bytes) -> None:
        now = self._clock()
        torn = self.path.with_name(f"torn-{now.astimezone(dt.UTC):%Y%m%dT%H%M%S.%fZ}.bin")
        write_new(torn, rest)
        with explained(self.path, "set a torn record aside"):
            os.ftruncate(self._descriptor, self._head.end)
        self._append(
            Kind.TORN,
            "",
            Fields(
                text=f"the log ended in the middle of a record, which was never acknowledged; moved to {torn.name}",
                measured={"bytes": len(rest), "sha256": hashlib.sha256(rest).hexdigest()},
            ),
        )

    def _find_head(self) -> chain.Link:
        """Find the last whole record without reading the log from its beginning."""
        with explained(self.path, "read the log"):
            size = os.fstat(self._descriptor).st_size
            start = max(0, size - 3 * chain.MAX_LINE)
            block = os.pread(self._descriptor, size - start, start)
        end = block.rfind(b"\n") + 1
        for _ in range(2):  # the last line, or the one before when the last is torn
            begin = block.rfind(b"\n", 0, max(0, end - 1)) + 1
            if link := chain.read_link(block[begin:end], start + end):
                return link
            end = begin
        return chain.GENESIS  # everything is then read, and vouched for, from the beginning

    def _check_origin(self) -> None:
        first = next(follow(self.path, stop=self._head.end), None)
        if first and (there := read_record(first.line).origin) != self._origin:
            raise LogError(
                f"this log belongs to {there!r}, not to {self._origin!r}",
                where=str(self.path),
                hint="keep the site's name in the inventory, or give the new site a state folder of its own",
            )

    def _write(self, line: bytes, *, may_use_reserve: bool) -> None:
        try:
            self._write_all(line)
        except OSError as error:
            self._undo(error)
            if error.errno not in NO_ROOM or not may_use_reserve or not self._reserve.release():
                raise self._stopped(error) from error
            self._write(line, may_use_reserve=False)

    def _write_all(self, line: bytes) -> None:
        written = os.write(self._descriptor, line)
        while written < len(line):
            written += os.write(self._descriptor, line[written:])
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            # The kernel may drop the pages it could not write and report success next time: never ask it twice.
            self.close()
            raise self._stopped(error) from error

    def _undo(self, error: OSError) -> None:
        """Take back a record of which only the beginning found room."""
        try:
            os.ftruncate(self._descriptor, self._head.end)
        except OSError:
            self.close()
            raise self._stopped(error) from error
        if error.errno not in NO_ROOM | {errno.EFBIG}:
            self.close()

    def _stopped(self, error: OSError) -> LogError:
        return self._explained(error, "write the intervention log")

    def _explained(self, error: OSError, doing: str) -> LogError:
        try:
            with explained(self.path, doing):
                raise error
        except LogError as said:
            return said


def _is_torn(rest: bytes) -> bool:
    """Tell a record that a crash cut short from one that was altered: only the former is no JSON at all."""
    if len(rest) > chain.MAX_LINE or b"\n" in rest[:-1]:
        return False
    if not rest.endswith(b"\n"):
        return True
    try:
        json.loads(rest)
    except ValueError:
        return True
    return False
