"""What lies in the practice database: roles, privileges, and the archive's empty index."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from maintainer.errors import MaintainerError
from maintainer.practice.keys import read_password
from maintainer.practice.layout import ADDRESS, DATABASE, Layout, recorded_ports

ARCHIVE = "archive"  # owns the index
MAINTAINER = "maintainer"  # what the inventory names
SUPERUSER = "postgres"


def connect(layout: Layout, role: str, database: str = DATABASE, **options: Any) -> psycopg.Connection[Any]:
    """Connect over loopback; variables such as PGSSLMODE of whoever runs this do not count."""
    password = {
        ARCHIVE: layout.archive_password,
        MAINTAINER: layout.database_password,
        SUPERUSER: layout.superuser_password,
    }[role]
    return psycopg.connect(
        host=ADDRESS,
        port=recorded_ports(layout).database,
        dbname=database,
        user=role,
        password=read_password(password),
        sslmode="disable",
        connect_timeout=5,
        application_name=f"practice-{role}",
        **options,
    )


@contextlib.contextmanager
def session(layout: Layout, role: str, database: str = DATABASE) -> Iterator[psycopg.Connection[Any]]:
    """Connect for some statements, each of them a transaction of its own.

    Raises:
        MaintainerError: the database did not answer, or refused.
    """
    try:
        with connect(layout, role, database, autocommit=True) as opened:
            yield opened
    except psycopg.Error as error:
        raise MaintainerError(
            f"the practice database did not do it ({error.sqlstate or type(error).__name__})",
            where=str(layout.log("postgres")),
            hint="read this log, or make all anew: maintainer practice up --fresh",
        ) from error


def fill(layout: Layout) -> None:
    """Make roles, database, index and log entries of past weeks in a new cluster."""
    with session(layout, SUPERUSER, "postgres") as cluster:
        for role, file in ((ARCHIVE, layout.archive_password), (MAINTAINER, layout.database_password)):
            cluster.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(read_password(file))
                )
            )
        cluster.execute(statement("privileges.sql"))
        cluster.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(ARCHIVE))
        )
    with session(layout, SUPERUSER) as database:
        database.execute(statement("extensions.sql"))
    with session(layout, ARCHIVE) as index:
        index.execute(statement("schema.sql"))


def tidy(layout: Layout) -> None:
    """Leave no dead row and fresh statistics, as a well kept database has."""
    with session(layout, SUPERUSER) as database:
        database.execute("VACUUM (ANALYZE)")


def plant_dead_rows(layout: Layout) -> dict[str, int]:
    """Delete the older half of the access log, as a retention job does: whole pages of its indexes fall empty."""
    with session(layout, ARCHIVE) as index:
        index.execute(statement("fill_access_log.sql"), {"rows": 30_000, "since": _weeks_ago(8)})
        deleted = index.execute(statement("purge_access_log.sql")).rowcount
        _count_now(index)
        index.execute("ANALYZE access_log")
        (size,) = index.execute("SELECT pg_table_size('access_log')").fetchone() or (0,)
    return {"deleted_rows": deleted, "table_bytes": size}


def plant_bloated_index(layout: Layout) -> dict[str, float]:
    """Let nine of ten rows of the send queue come and go out of order: their index stays large and nearly empty."""
    with session(layout, ARCHIVE) as index:
        index.execute(statement("fill_send_queue.sql"), {"rows": 100_000, "since": _weeks_ago(1)})
        index.execute("DELETE FROM send_queue WHERE pk % 10 <> 0")
        _count_now(index)
        index.execute("VACUUM (ANALYZE) send_queue")
        # The primary key has been through the same; one bloated index is enough to find.
        index.execute("REINDEX INDEX send_queue_pkey")
    with session(layout, MAINTAINER) as database:
        measured = database.execute(
            "SELECT index_size, avg_leaf_density FROM pgstatindex('send_queue_due')"
        ).fetchone() or (0, 0.0)
    return {"index_bytes": measured[0], "leaf_density_percent": measured[1]}


def _count_now(index: psycopg.Connection[Any]) -> None:
    """Report dead rows before they are vacuumed; reported afterwards, they would look left over."""
    index.execute("SELECT pg_stat_force_next_flush()")


def statement(file: str) -> sql.SQL:
    """Read one of this package's SQL files."""
    return sql.SQL((files("maintainer.practice") / "sql" / file).read_text("utf-8"))


def _weeks_ago(weeks: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(weeks=weeks)
