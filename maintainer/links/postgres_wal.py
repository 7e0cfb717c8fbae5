"""How much WAL a statement of ours has written: what standbys must replay, slots must keep, and a disk must hold.

Source: PostgreSQL manual, 27.2 `pg_stat_get_backend_wal`, `pg_stat_force_next_flush`; 9.28 `pg_current_wal_insert_lsn`.
"""

from importlib.resources import files

import psycopg
from pydantic import JsonValue

from maintainer.links.postgres_login import Connection

_TELLS_OF_SESSIONS = 180000


class WalMeter:
    """Counts from when it is made. Before PostgreSQL 18 nobody knows whose WAL it is: the clinic's is counted as well.

    What cannot be counted is left out, for it must not make a statement that is done look as if it were not.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._of_session = connection.info.server_version >= _TELLS_OF_SESSIONS
        self._query = _OF_SESSION if self._of_session else _OF_SERVER
        self._before = self._bytes()

    def told(self) -> dict[str, JsonValue]:
        """Answer `wal_bytes`, and `wal_of`: `statement`, or `server` where others' is in it."""
        after = self._bytes()
        if self._before is None or after is None:
            return {}
        return {"wal_bytes": after - self._before, "wal_of": "statement" if self._of_session else "server"}

    def _bytes(self) -> int | None:
        try:
            if self._of_session:
                self._connection.execute("SELECT pg_catalog.pg_stat_force_next_flush()")
            row = self._connection.execute(self._query).fetchone()
        except psycopg.Error:
            return None
        return int(row["bytes"]) if row else None


def _sql(name: str) -> bytes:
    return files("maintainer.links").joinpath("sql", name).read_text("utf-8").encode()


_OF_SESSION, _OF_SERVER = _sql("wal_of_session.sql"), _sql("wal_of_server.sql")
