"""The practice archive's index: what it holds, in PostgreSQL."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row
from pydicom.dataset import Dataset

from maintainer.practice import attributes
from maintainer.practice.database import connect
from maintainer.practice.layout import Layout

T = TypeVar("T")
Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True)
class StoredObject:
    """A file in the store; `path` is relative to it, `sha256` was computed over the bytes that were written."""

    sop_instance_uid: str
    path: str
    size: int
    sha256: str


class Index:
    """One connection that all associations share, made again after the database was restarted."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def path_of(self, sop_instance_uid: str) -> str | None:
        def look(connection: Connection) -> str | None:
            found = connection.execute("SELECT path FROM objects WHERE sop_instance_uid = %s", [sop_instance_uid])
            row = found.fetchone()
            return str(row[0]) if row else None

        return self._do(look)

    def add(self, dataset: Dataset, stored: StoredObject) -> None:
        """Insert an object and whatever of its patient, study and series is new, durably, or nothing of it."""

        def insert(connection: Connection) -> None:
            parent: object = None
            for level in attributes.LEVELS:
                parent = _insert_level(connection, level, dataset, parent)
            connection.execute(
                "INSERT INTO objects (sop_instance_uid, path, size, sha256) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (sop_instance_uid) DO UPDATE SET size = excluded.size, sha256 = excluded.sha256",
                [stored.sop_instance_uid, stored.path, stored.size, stored.sha256],
            )

        self._do(insert)

    def find(self, identifier: Dataset, level: str) -> list[dict[str, str]]:
        """Answer a C-FIND: for each match, the kept attributes by keyword."""
        kept = attributes.kept_at(level)
        where, values = attributes.conditions(identifier, level)
        query = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {}.pk").format(
            sql.SQL(", ").join(kept.values()),
            sql.SQL(attributes.JOINS[level]),
            where,
            sql.Identifier(attributes.TABLES[level]),
        )
        rows = self._do(lambda connection: connection.execute(query, values).fetchall())
        return [dict(zip(kept, map(str, row), strict=True)) for row in rows]

    def paths(self, identifier: Dataset) -> list[tuple[str, str]]:
        """Answer a C-GET: SOP instance UID and path of each object that it asks for."""
        where, values = attributes.conditions(identifier, "IMAGE")
        query = sql.SQL("SELECT objects.sop_instance_uid, path FROM {} WHERE {} ORDER BY objects.pk").format(
            sql.SQL(attributes.JOINS["IMAGE"]), where
        )
        rows = self._do(lambda connection: connection.execute(query, values).fetchall())
        return [(str(uid), str(path)) for uid, path in rows]

    def record_access(self, calling_ae_title: str, sop_instance_uid: str) -> None:
        values = [calling_ae_title, sop_instance_uid]
        query = "INSERT INTO access_log (calling_ae_title, verb, sop_instance_uid) VALUES (%s, 'C-GET', %s)"
        self._do(lambda connection: connection.execute(query, values))

    def _do(self, work: Callable[[Connection], T]) -> T:
        """Do some work in one transaction; once more on a new connection when the old one turns out to be dead.

        Doing it twice is harmless: every insert here is one that may find its row already there.
        """
        with self._lock:
            try:
                return self._transaction(work)
            except psycopg.OperationalError:
                if self._connection is not None and not self._connection.closed:
                    raise
                return self._transaction(work)

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._layout, "archive", row_factory=tuple_row)
        with self._connection.transaction():
            return work(self._connection)


def _insert_level(connection: Connection, level: str, dataset: Dataset, parent: object) -> object:
    """Insert one level's row unless it is there; answer its key."""
    table = sql.Identifier(attributes.TABLES[level])
    values = {column: attributes.read(dataset, keyword) for keyword, column in attributes.COLUMNS[level].items()}
    unique = attributes.COLUMNS[level][attributes.UNIQUE_KEYS[level]]
    row: dict[str, object] = {**values, **_parent(level, parent)}
    found = connection.execute(
        sql.SQL("SELECT pk FROM {} WHERE {} = %s").format(table, sql.Identifier(unique)), [values[unique]]
    ).fetchone()
    if found is None:
        found = connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING pk").format(
                table,
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(sql.Placeholder() * len(row)),
            ),
            list(row.values()),
        ).fetchone()
    return found[0] if found else None


def _parent(level: str, parent: object) -> dict[str, object]:
    column = {"STUDY": "patient_pk", "SERIES": "study_pk", "IMAGE": "series_pk"}.get(level)
    return {column: parent} if column else {}
