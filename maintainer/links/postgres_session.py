"""What every session in the PACS database has: a name, limits, a way to be cancelled, and an end.

Source: PostgreSQL manual, 20.11 "Client Connection Defaults"; 20.3 `client_connection_check_interval`.
"""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

import psycopg

from maintainer.errors import LinkLost, MaintainerError
from maintainer.links import sqlstate
from maintainer.links.alarms import ALARMS
from maintainer.links.postgres_login import Connection, connect
from maintainer.links.tunnel import Tunnel
from maintainer.model.inventory import Database

_CONNECT_WITHIN = timedelta(seconds=10)
_GRACE = timedelta(seconds=5)
"""How much later than the server's own limit a statement is given up from here."""
LOCK_WITHIN = timedelta(seconds=1)

FOR_ALL = {
    "client_connection_check_interval": "1s",  # stops what nobody waits for any more
    "idle_in_transaction_session_timeout": "1min",
    "idle_session_timeout": "12h",
    "transaction_timeout": "0",  # a server's own for its clients would end a long vacuum
}

E = TypeVar("E", bound=MaintainerError)


def milliseconds(duration: timedelta) -> str:
    return f"{max(0, round(duration.total_seconds() * 1000))}ms"


class Session:
    """A connection that says who it is, gives up in time, and is not left behind idle for ever."""

    _options = ""

    def __init__(
        self, tunnel: Tunnel, database: Database, run: str, *, connect_within: timedelta = _CONNECT_WITHIN
    ) -> None:
        self.node = tunnel.link.name
        self._tunnel = tunnel
        self._database = database
        self._run = run
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
    def no_longer_than(self, timeout: timedelta) -> Iterator[None]:
        """Stop a statement whose server does not keep its own limit: first by asking, then by cutting the line."""
        ended = threading.Event()

        def give_up() -> None:
            self.cancel()
            if not ended.wait(_GRACE.total_seconds()):
                self.hang_up()

        with ALARMS.unless_done_in((timeout + _GRACE).total_seconds(), give_up):
            try:
                yield
            finally:
                ended.set()

    def hang_up(self) -> None:
        """End the connection under whoever waits on it; libpq's own close would not wake them."""
        with (
            contextlib.suppress(psycopg.Error, OSError),
            socket.socket(fileno=os.dup(self._connection.fileno())) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)

    def lost(self, error: psycopg.Error) -> LinkLost | None:
        """Answer the error to raise when no word came from the server on how the statement ended."""
        if error.sqlstate is not None or not (self._connection.closed or self._connection.broken):
            return None
        return LinkLost(
            "the connection to the database was lost while a statement ran",
            where=self.node,
            hint="it may have done its work: look at the database before asking again",
        )


def set_known(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set what this server knows: a setting that its version does not have is left out."""
    connection.execute(
        # The view pg_settings would be asked for each of the server's settings, at the cost of a login.
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted(name, value)"
        " WHERE current_setting(name, true) IS NOT NULL",
        [list(settings), list(settings.values())],
    )


def explained(kind: type[E], error: psycopg.Error, node: str, database: Database) -> E:
    """Turn a server's error into a sentence that holds no values: SQLSTATE, class, relation and constraint only."""
    if error.sqlstate is None:
        what, hint = f"the database answered something unexpected ({type(error).__name__})", "please report this"
    else:
        what, hint = sqlstate.sentence(error.sqlstate, node, database, type(error).__name__)
    diag = error.diag
    relation = ".".join(name for name in (diag.schema_name, diag.table_name) if name)
    about = ", ".join(name for name in (relation, diag.constraint_name) if name)
    return kind(f"{what}: {about}" if about else what, where=node, hint=hint)
