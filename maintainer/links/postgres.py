"""The PACS database, reached through the SSH connection: the session that can only read."""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

import psycopg
from pydantic_core import to_jsonable_python

from maintainer.errors import CouldNotLook
from maintainer.links.postgres_session import FOR_ALL, LOCK_WITHIN, Session, explained, milliseconds, set_known
from maintainer.links.ssh import NoAnswer

_AT_MOST_ROWS = 200_000
_CHUNK_ROWS = 500
_AS_IT_IS = frozenset({int, bool, type(None)})


class ReadingSession(Session):
    """For observing. Every query runs in a transaction that cannot write, and that is rolled back."""

    _options = f"-c default_transaction_read_only=on -c lock_timeout={milliseconds(LOCK_WITHIN)}"
    _is_set_up = False

    def rows(
        self, text: str, parameters: Mapping[str, Any], timeout: timedelta, *, at_most: int = _AT_MOST_ROWS
    ) -> list[dict[str, Any]]:
        """Run one query. Values are JSON's: numerics as float, times and intervals as ISO 8601 text.

        Raises:
            CouldNotLook: the database refuses, does not answer in time, or answers more than `at_most` rows.
            LinkLost: the connection broke.
        """
        try:
            with self.no_longer_than(timeout), self._read_only(timeout):
                found = self._fetch(text, parameters, at_most)
        except psycopg.Error as error:
            raise self.lost(error) or explained(NoAnswer, error, self.node, self._database) from None
        except UnicodeError:
            raise CouldNotLook(
                "a query answered text that is not UTF-8", where=self.node, hint="what is the database's encoding?"
            ) from None
        if len(found) > at_most:
            raise CouldNotLook(
                f"a query answered more than {at_most:,} rows", where=self.node, hint="ask for less, or in parts"
            )
        return found

    @contextlib.contextmanager
    def _read_only(self, timeout: timedelta) -> Iterator[None]:
        """Open a transaction that no statement can make writable: the first query fixes its mode for good."""
        # In one message: on a slow line, round trips are what a look at a database takes.
        limit = f"SELECT pg_catalog.set_config('statement_timeout', '{milliseconds(timeout)}', true)"
        if not self._is_set_up:
            set_known(self._connection, FOR_ALL)
            self._is_set_up = True
        self._connection.execute(f"BEGIN READ ONLY; {limit}".encode())
        try:
            yield
        finally:
            try:
                self._connection.execute("ROLLBACK")
            except psycopg.Error:
                self._connection.close()

    def _fetch(self, text: str, parameters: Mapping[str, Any], at_most: int) -> list[dict[str, Any]]:
        """Read in chunks, so that a mistaken query cannot fill this machine's memory.

        Streaming uses the extended protocol, which takes one statement only.
        """
        found: list[dict[str, Any]] = []
        shared: dict[str, str] = {}
        with self._connection.cursor() as cursor:
            stream: Any = cursor.stream(text.encode(), parameters or None, size=_CHUNK_ROWS)
            with contextlib.closing(stream):
                while len(found) <= at_most and (chunk := list(islice(stream, _CHUNK_ROWS))):
                    for row in chunk:
                        _make_jsonable(row, shared)
                    found += chunk
        return found


def _make_jsonable(row: dict[str, Any], shared: dict[str, str]) -> None:
    """Write values as JSON has them, and a text that comes in many rows once: there may be fifty thousand."""
    for name, value in row.items():
        if type(value) is str:
            row[name] = shared.setdefault(value, value)
        elif type(value) not in _AS_IT_IS:
            row[name] = to_jsonable_python(value, fallback=str, inf_nan_mode="strings", bytes_mode="hex")
