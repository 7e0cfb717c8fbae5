"""The intervention log as the rest of the product sees it."""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from maintainer.errors import LogError
from maintainer.intervention_log.chain import GENESIS, NO_HASH, ChainBroken, Link, Verified
from maintainer.intervention_log.checkpoint import LATEST, Checkpoint, SigningKey, signing_key
from maintainer.intervention_log.durable_file import replace
from maintainer.intervention_log.filter import ALL, Filter
from maintainer.intervention_log.journal import JOURNAL, Journal
from maintainer.intervention_log.lines import find, follow
from maintainer.intervention_log.open_ends import PEOPLE, Follower, OpenEnds
from maintainer.intervention_log.record import Fields, Kind, Record, number, read_record
from maintainer.intervention_log.verification import Verification, cut_short, latest_checkpoint, verify, vouch
from maintainer.model.inventory import LogIndex
from maintainer.model.task import Mark, OnRecord

if TYPE_CHECKING:
    from maintainer.intervention_log.index import Index

DURATIONS = 1000
"""How many of the latest durations of a step are remembered: years of nights."""


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class InterventionLog:
    """What was done, by whom, when, why and how it ended. Open it with `open` to write, with `read` to ask."""

    def __init__(
        self, state: Path, journal: Journal | None, origin: str, index: LogIndex | None, index_password: str | None
    ) -> None:
        self._state, self._path, self._journal = state, state / JOURNAL, journal
        self._origin, self._index_settings, self._index_password = origin, index, index_password
        self._opened_index: Index | None = None
        self.index_trouble: LogError | None = None

    @classmethod
    def open(
        cls,
        state: Path,
        *,
        origin: str,
        index: LogIndex | None = None,
        index_password: str | None = None,
        clock: Callable[[], dt.datetime] = utc_now,
    ) -> Self:
        """Open the log for writing, or begin one. `origin` is the site's name.

        Raises:
            LogError: it cannot be written or trusted; then nothing may be done.
        """
        journal = Journal(state, origin=origin, clock=clock)
        try:
            with journal.alone():
                _settle_checkpoint(state, origin, journal.head)
        except BaseException:
            journal.close()
            raise
        return cls(state, journal, origin, index, index_password)

    @classmethod
    def read(cls, state: Path, *, index: LogIndex | None = None, index_password: str | None = None) -> Self:
        """Open the log for asking. Changes nothing but the index; without a state folder the log is empty."""
        return cls(state, None, "", index, index_password)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
        if self._opened_index is not None:
            self._opened_index.close()
            self._opened_index = None

    def append(self, kind: Kind, *, run: str = "", **fields: Unpack[Fields]) -> Record:
        """Write one record; when this returns, it is on disk.

        Raises:
            LogError: it is not.
        """
        return self._writer.append(kind, run, fields)

    def checkpoint(self, run: str) -> Record:
        """Sign the log as it stands: in a record for all before it, and in a file for all up to it.

        Two signatures, because the record could be cut off together with what follows it.
        """
        key = signing_key(self._state, self._origin)
        with self._writer.alone() as append:
            before = self._writer.head
            note = key.sign(Checkpoint(self._origin, before.seq, before.hash))
            record = append(Kind.CHECKPOINT, run, Fields(text=note))
            _sign_end(self._state, key, self._origin, self._writer.head)
        return record

    def verify(self, trusted_key: str | None = None) -> Verification:
        """Read the whole log against chain, checkpoints and key; `trusted_key` is the text of a kept public key.

        Raises:
            LogError: at the first thing that is wrong, with the line, the byte and the record.
        """
        return verify(self._state, trusted_key)

    def vouch(self) -> None:
        """See that the log is the one that was signed: its index would answer all the same.

        Raises:
            LogError: it is not, or it is no longer all there.
        """
        vouch(self._state)

    def records(self, where: Filter = ALL) -> Iterator[Record]:
        """Find records, oldest first; from the log itself where the index cannot be had (see `index_trouble`)."""
        index = self._index()
        if index is not None:
            try:
                lines = index.lines(where)
            except LogError as error:
                self._give_up_index(error)
            else:
                return map(read_record, lines)
        found = (record for record in map(read_record, self._true_lines()) if where.matches(record))
        return found if where.limit is None else iter(deque(found, maxlen=where.limit))

    def record(self, seq: int) -> Record | None:
        """Find one record by its number, in the log itself."""
        line = next(islice(self._true_lines(), max(0, seq - 1), None), None) if seq > 0 else None
        return read_record(line) if line else None

    def end(self) -> Verified:
        """Give the number of records, and the hash of the last of them."""
        head = self._journal.head if self._journal else next(iter(deque(follow(self._path), maxlen=1)), GENESIS)
        return Verified(head.seq, head.hash)

    def hash_of(self, seq: int) -> str | None:
        """Give the hash of a record; none: there is no such record."""
        if seq == 0:
            return NO_HASH
        if link := find(self._path, seq):
            return link.hash
        record = self.record(seq)
        return record.hash if record else None

    def open_intents(self) -> tuple[Record, ...]:
        """Find the intents whose ending is not known: no outcome or an `unknown` one, and not reconciled."""
        return self.open_ends().intents

    def open_ends(self) -> OpenEnds:
        """Find everything that was opened and not closed, in the log itself."""
        return Follower().read_lines(self._true_lines()).ends()

    def people_at_work(self) -> OpenEnds:
        """Find the open interventions alone, fast enough to be asked before each step."""
        found = [record for kind in PEOPLE for record in self.records(Filter(kind=kind))]
        return Follower().read(sorted(found, key=lambda record: record.seq)).ends()

    def durations(self, node: str, task: str, subject: str) -> tuple[dt.timedelta, ...]:
        """Find how long this step took whenever it ended well, oldest first."""
        where = Filter(node=node, task=task, subject=subject, kind=Kind.OUTCOME, ending="done", limit=DURATIONS)
        seconds = (number(record.measured.get("seconds")) for record in self.records(where))
        return tuple(dt.timedelta(seconds=one) for one in seconds if one is not None)

    def history(self, node: str, measurement: str) -> dict[str, OnRecord]:
        """Find the least and the last value of a measurement on a node, by subject."""
        index = self._index()
        if index is not None:
            try:
                return index.history(node, measurement)
            except LogError as error:
                self._give_up_index(error)
        found: dict[str, OnRecord] = {}
        for record in self.records(Filter(node=node, kind=Kind.MEASURED)):
            value = number(record.measured.get(measurement))
            if value is not None:
                least = found.get(record.subject, OnRecord(value, value)).least
                found[record.subject] = OnRecord(min(least, value), value)
        return found

    def marks(self, node: str, measurements: Sequence[str]) -> list[Mark]:
        """Find every time that one of these measurements was put on record; of each subject, the oldest first."""
        index = self._index()
        if index is not None:
            try:
                return index.marks(node, measurements)
            except LogError as error:
                self._give_up_index(error)
        found = (_mark(one, measurements) for one in self.records(Filter(node=node, kind=Kind.MEASURED)))
        return sorted((one for one in found if one.values), key=lambda one: one.subject)

    def last_run(self) -> dt.datetime | None:
        """Find when the last run was opened."""
        return next((record.at for record in self.records(Filter(kind=Kind.RUN_OPENED, limit=1))), None)

    def refresh_index(self) -> None:
        """Bring the index up to date: at a run's end, so that a shared database knows of it.

        Raises:
            LogError: it cannot be had. The log is complete all the same.
        """
        index = self._index()
        if index is not None:
            index.catch_up()
        elif self.index_trouble is not None:
            raise self.index_trouble

    @property
    def _writer(self) -> Journal:
        if self._journal is None:
            raise LogError("this log was opened for reading", where=str(self._path))
        return self._journal

    def _true_lines(self) -> Iterator[bytes]:
        """Read the log itself, vouching for each line."""
        return (link.line for link in follow(self._path))

    def _index(self) -> "Index | None":
        """Open the index on first use; None when there is nothing to index, or when it cannot be had."""
        if self._opened_index is None and self.index_trouble is None:
            try:
                self._opened_index = self._open_index()
            except LogError as error:
                self._give_up_index(error)
        return self._opened_index

    def _open_index(self) -> "Index | None":
        origin = self._origin or self._first_origin()
        if not origin:
            return None
        from maintainer.intervention_log import index  # noqa: PLC0415 (SQLAlchemy takes 100 ms to import)

        if self._index_settings is None:
            return index.sqlite_index(self._state, self._path, origin)
        return index.postgresql_index(self._index_settings, self._index_password, self._path, origin)

    def _first_origin(self) -> str:
        first = next(follow(self._path), None)
        return read_record(first.line).origin if first else ""

    def _give_up_index(self, error: LogError) -> None:
        if isinstance(error, ChainBroken):
            raise error  # the log itself is broken: no index can help
        self.index_trouble = error
        if self._opened_index is not None:
            self._opened_index.close()
            self._opened_index = None


def _mark(record: Record, measurements: Sequence[str]) -> Mark:
    known = {name: number(record.measured.get(name)) for name in measurements}
    return Mark(record.subject, record.at, {name: value for name, value in known.items() if value is not None})


def _settle_checkpoint(state: Path, origin: str, head: Link) -> None:
    """See that the log is not shorter than what was signed; sign again what a crash left between record and file."""
    key = signing_key(state, origin)
    signed = latest_checkpoint(state)
    if signed is not None and signed.size > head.seq:
        raise cut_short(state / JOURNAL, signed.size, head)
    behind = signed is None or signed.size < head.seq
    if behind and head.seq and read_record(head.line).kind is Kind.CHECKPOINT:
        _sign_end(state, key, origin, head)


def _sign_end(state: Path, key: SigningKey, origin: str, head: Link) -> None:
    replace(state / LATEST, key.sign(Checkpoint(origin, head.seq, head.hash)).encode())
