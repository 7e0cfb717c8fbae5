"""The PACS database, reached through the SSH connection: the session that can only read."""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from maintainer.errors import CouldNotLook
from maintainer.links.postgres_session import FOR_ALL, LOCK_WITHIN, Session, explained, milliseconds, set_known
from maintainer.links.rows import Rows
from maintainer.links.ssh import NoAnswer

_AT_MOST_ROWS = 200_000
_CHUNK_ROWS = 500


class ReadingSession(Session):
    """For observing. Every query runs in a transaction that cannot write, and that is rolled back."""

    _options = f"-c default_transaction_read_only=on -c lock_timeout={milliseconds(LOCK_WITHIN)}"
    _is_set_up = False

    def rows(
        self, text: str, parameters: Mapping[str, Any], timeout: timedelta, *, at_most: int = _AT_MOST_ROWS
    ) -> list[dict[str, Any]]:
        """Run one query, as `table` does, that answers few rows: they are made at once."""
        return [*self.table(text, parameters, timeout, at_most=at_most)]

    def table(
        self, text: str, parameters: Mapping[str, Any], timeout: timedelta, *, at_most: int = _AT_MOST_ROWS
    ) -> Rows:
        """Run one query, that may answer many rows.

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

    def _fetch(self, text: str, parameters: Mapping[str, Any], at_most: int) -> Rows:
        """Read in chunks, so that a mistaken query cannot fill this machine's memory.

        Streaming uses the extended protocol, which takes one statement only.
        """
        found, shared = Rows(), dict[Any, Any]()
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            stream: Any = cursor.stream(text.encode(), parameters or None, size=_CHUNK_ROWS)
            with contextlib.closing(stream):
                while len(found) <= at_most and (chunk := list(islice(stream, _CHUNK_ROWS))):
                    found.add([column.name for column in cursor.description or ()], chunk, shared)
        return found
