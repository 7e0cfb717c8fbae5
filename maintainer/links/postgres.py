"""The PACS database, reached through the SSH connection: one session that can only read, and one that acts.

Source: PostgreSQL manual, 20.11 "Client Connection Defaults"; 20.3 `client_connection_check_interval`.
"""

import contextlib
import os
import re
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar

import psycopg
from pydantic_core import to_jsonable_python

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost, MaintainerError
from maintainer.links import sqlstate
from maintainer.links.postgres_login import Connection, connect
from maintainer.links.ssh import NoAnswer
from maintainer.links.tunnel import Tunnel
from maintainer.model.inventory import Database
from maintainer.model.plan import Setting

_CONNECT_WITHIN = timedelta(seconds=10)
_GRACE = timedelta(seconds=5)
"""How much later than the server's own limit a statement is given up from here."""
_LOCK_WITHIN = timedelta(seconds=1)
_AT_MOST_ROWS = 200_000
_CHUNK_ROWS = 500
_CONCURRENTLY = re.compile(r"\s*(?:REINDEX|CREATE|DROP)\b[^\"';]*\bCONCURRENTLY\b", re.IGNORECASE)

_FOR_ALL = {
    "client_connection_check_interval": "1s",  # stops what nobody waits for any more
    "idle_in_transaction_session_timeout": "1min",
    "idle_session_timeout": "12h",
}

E = TypeVar("E", bound=MaintainerError)


def _milliseconds(duration: timedelta) -> str:
    return f"{max(0, round(duration.total_seconds() * 1000))}ms"


class _Session:
    """A connection that says who it is, gives up in time, and is not left behind idle for ever."""

    _options = ""

    def __init__(
        self, tunnel: Tunnel, database: Database, run: str, *, connect_within: timedelta = _CONNECT_WITHIN
    ) -> None:
        self.node = tunnel.link.name
        self._tunnel = tunnel
        self._database = database
        self._connection = connect(tunnel, database, f"maintainer {run}", self._options, connect_within)

    def cancel(self) -> None:
        """Ask the server to stop the statement that runs; may be called from another thread. Never terminates it."""
        with contextlib.suppress(psycopg.Error, OSError):
            self._connection.cancel_safe(timeout=_GRACE.total_seconds())

    def alive(self) -> bool:
        """Tell whether the connection stands: neither end has closed it, as far as this end can know."""
        if self._connection.closed:
            return False
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLRDHUP)
        return not poll.poll(0)

    def close(self) -> None:
        with contextlib.suppress(psycopg.Error, OSError):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _no_longer_than(self, timeout: timedelta) -> Iterator[None]:
        """Stop a statement whose server does not keep its own limit: first by asking, then by cutting the line."""
        ended = threading.Event()

        def give_up() -> None:
            self.cancel()
            if not ended.wait(_GRACE.total_seconds()):
                self._hang_up()

        watchdog = threading.Timer((timeout + _GRACE).total_seconds(), give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            ended.set()
            watchdog.cancel()

    def _hang_up(self) -> None:
        """End the connection under whoever waits on it; libpq's own close would not wake them."""
        with (
            contextlib.suppress(psycopg.Error, OSError),
            socket.socket(fileno=os.dup(self._connection.fileno())) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)

    def _lost(self, error: psycopg.Error) -> LinkLost | None:
        """Answer the error to raise when no word came from the server on how the statement ended."""
        if error.sqlstate is not None or not (self._connection.closed or self._connection.broken):
            return None
        return LinkLost(
            "the connection to the database was lost while a statement ran",
            where=self.node,
            hint="it may have done its work: look at the database before asking again",
        )


class ReadingSession(_Session):
    """For observing. Every query runs in a transaction that cannot write, and that is rolled back."""

    _options = f"-c default_transaction_read_only=on -c lock_timeout={_milliseconds(_LOCK_WITHIN)}"
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
            with self._no_longer_than(timeout), self._read_only(timeout):
                found = self._fetch(text, parameters, at_most)
        except psycopg.Error as error:
            raise self._lost(error) or _explained(NoAnswer, error, self.node, self._database) from None
        except UnicodeError:
            raise CouldNotLook(
                "a query answered text that is not UTF-8", where=self.node, hint="what is the database's encoding?"
            ) from None
        if len(found) > at_most:
            raise CouldNotLook(
                f"a query answered more than {at_most:,} rows", where=self.node, hint="ask for less, or in parts"
            )
        rows: list[dict[str, Any]] = to_jsonable_python(found, fallback=str, inf_nan_mode="strings", bytes_mode="hex")
        return rows

    @contextlib.contextmanager
    def _read_only(self, timeout: timedelta) -> Iterator[None]:
        """Open a transaction that no statement can make writable: the first query fixes its mode for good."""
        # In one message: on a slow line, round trips are what a look at a database takes.
        limit = f"SELECT pg_catalog.set_config('statement_timeout', '{_milliseconds(timeout)}', true)"
        if not self._is_set_up:
            _set(self._connection, _FOR_ALL)
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
        with self._connection.cursor() as cursor:
            stream: Any = cursor.stream(text.encode(), parameters or None, size=_CHUNK_ROWS)
            with contextlib.closing(stream):
                for row in stream:
                    found.append(row)
                    if len(found) > at_most:
                        break
        return found


class ActingSession(_Session):
    """For steps: one statement at a time, outside any transaction block."""

    def perform(
        self, text: str, timeout: timedelta, settings: Mapping[Setting, int | str] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Run one statement, with settings of its own; answers how many seconds it took and how many notices came.

        Raises:
            ActionFailed: the server says that it did not succeed.
            LinkLost: the connection broke, so that nobody knows.
        """
        # Building an index concurrently waits for older snapshots under lock_timeout, while nobody waits for it.
        lock = timedelta(0) if _CONCURRENTLY.match(text) else _LOCK_WITHIN
        chosen = {name: str(value) for name, value in settings.items()}
        limits = {"statement_timeout": _milliseconds(timeout), "lock_timeout": _milliseconds(lock)}
        begun = time.monotonic()
        try:
            with self._no_longer_than(timeout), self._counted_notices() as notices:
                _set(self._connection, chosen | _FOR_ALL | limits)
                # Binary results mean the extended protocol: one statement only, and none smuggled in behind it.
                self._connection.execute(text.encode(), binary=True)
        except psycopg.Error as error:
            raise self._lost(error) or _explained(ActionFailed, error, self.node, self._database) from None
        return {"seconds": round(time.monotonic() - begun, 3), "notices": len(notices)}

    @contextlib.contextmanager
    def _counted_notices(self) -> Iterator[list[None]]:
        """Count what the server remarks; its text is not kept, for it may hold values of rows."""
        notices: list[None] = []

        def count(_: psycopg.errors.Diagnostic) -> None:
            notices.append(None)

        self._connection.add_notice_handler(count)
        try:
            yield notices
        finally:
            self._connection.remove_notice_handler(count)


def _set(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set what this server knows: a setting that its version does not have is left out."""
    connection.execute(
        "SELECT set_config(name, wanted.value, false) FROM unnest(%s::text[], %s::text[]) AS wanted(name, value)"
        " JOIN pg_catalog.pg_settings USING (name)",
        [list(settings), list(settings.values())],
    )


def _explained(kind: type[E], error: psycopg.Error, node: str, database: Database) -> E:
    """Turn a server's error into a sentence that holds no values: SQLSTATE, class, relation and constraint only."""
    if error.sqlstate is None:
        what, hint = f"the database answered something unexpected ({type(error).__name__})", "please report this"
    else:
        what, hint = sqlstate.sentence(error.sqlstate, node, database, type(error).__name__)
    diag = error.diag
    relation = ".".join(name for name in (diag.schema_name, diag.table_name) if name)
    about = ", ".join(name for name in (relation, diag.constraint_name) if name)
    return kind(f"{what}: {about}" if about else what, where=node, hint=hint)
