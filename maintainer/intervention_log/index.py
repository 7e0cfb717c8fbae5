"""A copy of the log in SQL, to answer questions fast. It is never the truth and can be thrown away at any moment.

SQLite beside the log by default; with a PostgreSQL database several controllers' logs meet there, each under its
origin. There are no migrations: a new layout gets new table names and is filled from the log.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path
from sys import intern
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from maintainer.errors import LogError
from maintainer.intervention_log import chain
from maintainer.intervention_log.durable_file import PRIVATE_FILE, explained
from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.lines import Lines, follow
from maintainer.intervention_log.record import Kind, Record, number, read_record
from maintainer.model.inventory import LogIndex
from maintainer.model.task import Mark, OnRecord

SQLITE = "index.sqlite"
BATCH = 500
CONNECT_SECONDS = 5

Answer = TypeVar("Answer")

_WORDS = ("run", "kind", "actor", "node", "task", "subject", "ending")
_TABLES = sa.MetaData()
RECORDS = sa.Table(
    "maintainer_records_1",
    _TABLES,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", sa.Text, nullable=False),
    *(sa.Column(word, sa.Text, nullable=False) for word in _WORDS),
    sa.Column("offset_after", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("line", sa.Text, nullable=False),
    sa.Index("maintainer_records_1_node", "origin", "node", "task", "seq"),
    sa.Index("maintainer_records_1_time", "origin", "time"),
    sa.Index("maintainer_records_1_kind", "origin", "kind", "seq"),
)
MEASUREMENTS = sa.Table(
    "maintainer_measurements_1",
    _TABLES,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Index("maintainer_measurements_1_what", "origin", "node", "name", "subject", "seq"),
)


class Index:
    """One log's rows in a database. Every question first reads what the log has grown by.

    Raises:
        LogError: from every method; the database cannot be used, or the log itself is broken.
    """

    def __init__(self, engine: sa.Engine, journal: Path, origin: str, file: Path | None = None) -> None:
        """Use a database; one that is only a `file` is deleted and made again when it turns out damaged."""
        self._engine, self._journal, self._origin, self._file = engine, journal, origin, file

    def close(self) -> None:
        self._engine.dispose()

    def lines(self, where: Filter) -> tuple[bytes, ...]:
        """Find the lines of the records that match, oldest first."""
        found = self._healed(lambda: self._lines(where))
        if all(chain.read_link(line, 0) for line in found):
            return found
        with self._said(), self._engine.begin() as connection:
            self._forget(connection)  # somebody edited the copy
        return self._lines(where)

    def history(self, node: str, measurement: str) -> dict[str, OnRecord]:
        """Find the least and the last value of each subject."""
        m = MEASUREMENTS.c
        mine = sa.and_(m.origin == self._origin, m.node == node, m.name == measurement)
        each = sa.select(m.subject, sa.func.min(m.value).label("least"), sa.func.max(m.seq).label("newest"))
        grouped = each.where(mine).group_by(m.subject).subquery()
        query = sa.select(grouped.c.subject, grouped.c.least, m.value).where(mine, m.seq == grouped.c.newest)
        return self._healed(lambda: {intern(row.subject): OnRecord(row.least, row.value) for row in self._rows(query)})

    def marks(self, node: str, measurements: Sequence[str]) -> list[Mark]:
        """Find every time that these were put on record of a node; of each subject, the oldest first."""
        m, r = MEASUREMENTS.c, RECORDS.c
        mine = sa.and_(m.origin == self._origin, m.node == node, m.name.in_(measurements))
        query = sa.select(m.subject, m.seq, r.time, m.name, m.value).where(mine)
        query = query.join(RECORDS, sa.and_(r.origin == m.origin, r.seq == m.seq)).order_by(m.subject, m.seq)
        return self._healed(lambda: list(_together(self._rows(query))))

    def catch_up(self) -> None:
        """Read what the log has grown by since the last time; start anew when the two do not fit together."""
        self._healed(self._catch_up)

    def _healed(self, question: Callable[[], Answer]) -> Answer:
        try:
            return question()
        except LogError as error:
            if self._file is None or not _is_damaged(error):
                raise
            self._engine.dispose()
            _make_anew(self._file)
            return question()

    def _catch_up(self) -> None:
        with self._said(), self._engine.begin() as connection:
            _TABLES.create_all(connection)
            self._read_on(connection, self._last(connection))

    def _lines(self, where: Filter) -> tuple[bytes, ...]:
        r = RECORDS.c
        since, until = where.times()
        query = sa.select(r.line).where(r.origin == self._origin)
        query = query.where(*(r[name] == word for name, word in where.words().items()))
        query = query if since is None else query.where(r.time >= since)
        query = query if until is None else query.where(r.time < until)
        newest_first = self._rows(query.order_by(r.seq.desc()).limit(where.limit))
        return tuple(row.line.encode() for row in newest_first)[::-1]

    def _rows(self, query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
        """Ask, and have the answer a few rows at a time: it may be of fifty thousand subjects."""
        self._catch_up()
        with self._said(), self._engine.connect() as connection:
            yield from connection.execution_options(yield_per=BATCH).execute(query)

    def _last(self, connection: sa.Connection) -> chain.Link:
        r = RECORDS.c
        query = sa.select(r.seq, r.hash, r.offset_after, r.line).where(r.origin == self._origin)
        row = connection.execute(query.order_by(r.seq.desc()).limit(1)).first()
        if row is None:
            return chain.GENESIS
        last = chain.Link(row.seq, row.hash, row.offset_after, row.line.encode())
        if self._stands(last):
            return last
        self._forget(connection)
        return chain.GENESIS

    def _forget(self, connection: sa.Connection) -> None:
        for table in (RECORDS, MEASUREMENTS):
            connection.execute(table.delete().where(table.c.origin == self._origin))

    def _stands(self, last: chain.Link) -> bool:
        """Tell whether the log still has, at its place, the last line that was copied."""
        if chain.read_link(last.line, last.end) != last:
            return False
        start = last.end - len(last.line)
        return list(Lines(self._journal, start=start, stop=last.end)) == [last.line]

    def _read_on(self, connection: sa.Connection, after: chain.Link) -> None:
        links = follow(self._journal, after)
        while some := tuple(islice(links, BATCH)):
            records = [read_record(link.line) for link in some]
            rows = [self._row(link, record) for link, record in zip(some, records, strict=True)]
            self._insert(connection, RECORDS, rows)
            self._insert(connection, MEASUREMENTS, [row for record in records for row in self._measured(record)])

    def _row(self, link: chain.Link, record: Record) -> dict[str, Any]:
        words = {word: getattr(record, word) or "" for word in _WORDS}
        place = {"origin": self._origin, "seq": link.seq, "offset_after": link.end, "hash": link.hash}
        return {**words, **place, "time": record.time, "line": link.line.decode()}

    def _measured(self, record: Record) -> Iterator[dict[str, Any]]:
        about = {"origin": self._origin, "seq": record.seq, "node": record.node, "subject": record.subject}
        for name, value in record.measured.items() if record.kind is Kind.MEASURED else ():
            if number(value) is not None:
                yield {**about, "name": name, "value": number(value)}

    def _insert(self, connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """Insert; where another process has just copied the same record, its row stays."""
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            from sqlalchemy.dialects import postgresql  # noqa: PLC0415 (15 ms, and most logs are indexed in SQLite)

            connection.execute(postgresql.insert(table).on_conflict_do_nothing(), rows)
        else:
            connection.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise _unusable(error, self._engine.url) from error


def _together(rows: Iterable[sa.Row[Any]]) -> Iterator[Mark]:
    """Put together what one record holds."""
    for _, each in groupby(rows, key=lambda row: row.seq):
        first, *others = each
        values = {intern(row.name): row.value for row in (first, *others)}
        yield Mark(intern(first.subject), dt.datetime.fromisoformat(first.time), values)


def _unusable(error: SQLAlchemyError, url: sa.URL) -> LogError:
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return LogError(
        f"the log's index cannot be used ({type(cause).__name__}{f' {state}' if state else ''})",
        where=url.render_as_string(hide_password=True),
        hint="the log itself is not concerned, and the index is filled again from it when the database is back",
    )


def sqlite_index(state: Path, journal: Path, origin: str) -> Index:
    """Open the index beside the log."""
    path = state / SQLITE
    _make(path)
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _begin(connection: Any, _record: Any) -> None:
        # What a power cut breaks here is made again from the log.
        connection.execute("pragma synchronous = off")

    return Index(engine, journal, origin, path)


def _is_damaged(error: LogError) -> bool:
    cause = error.__cause__.orig if isinstance(error.__cause__, DBAPIError) else None
    code = getattr(cause, "sqlite_errorname", "")
    # SQLITE_ERROR: a table of our name with other columns, by whomever it was made.
    return code in {"SQLITE_NOTADB", "SQLITE_ERROR"} or code.startswith("SQLITE_CORRUPT")


def _make(path: Path) -> None:
    with explained(path, "make the log's index"):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))


def _make_anew(path: Path) -> None:
    with explained(path, "delete the damaged index"):
        for part in ("", "-journal"):
            path.with_name(path.name + part).unlink(missing_ok=True)
    _make(path)


def postgresql_index(where: LogIndex, password: str | None, journal: Path, origin: str) -> Index:
    """Open the index in the PostgreSQL database of the inventory."""
    socket = where.host.startswith("/")
    url = sa.URL.create(
        "postgresql+psycopg",
        username=where.user,
        password=password,
        host=None if socket else where.host,
        port=where.port,
        database=where.name,
        query={"host": where.host} if socket else {},
    )
    return Index(sa.create_engine(url, connect_args={"connect_timeout": CONNECT_SECONDS}), journal, origin)
