"""What a node holds, to the byte and to the row: two looks are equal only when nothing was changed in between.

Left out are what the servers themselves write while they serve: their logs, and the database's files, whose content is
asked for instead (reading alone sets hint bits in them). The controller's folder is no part of the node.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psycopg import sql

from maintainer.practice.database import SUPERUSER, connect
from maintainer.practice.postgres import Postgres
from tests.practice_fixture import Practice

Evidence = dict[str, object]

SERVERS_LOGS = {"archive.log", "postgres.log", "sshd.log"}
WRITTEN_BY_SERVERS = {"database"}
NOTED_BY_RUNS = {"home"}
"""Who holds the node, and what was launched there: a run says so even when it has nothing to do."""


def evidence(practice: Practice) -> Evidence:
    """Look at everything: files with their metadata, rows with their place, catalogs, sizes and counters.

    Of a database that does not run, that it does not.
    """
    runs = Postgres(practice.layout).process() is not None
    return {**dict(files(practice.folder)), **(dict(database(practice)) if runs else {"database": "down"})}


def store(practice: Practice) -> Evidence:
    """Look at the objects alone."""
    return dict(files(practice.layout.store))


def differences(before: Evidence, after: Evidence) -> list[str]:
    """Name what is not the same."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def files(folder: Path) -> Iterator[tuple[str, object]]:
    """Yield each entry below a folder with its type, mode, owner, links, size, both times of change, and SHA-256."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] in WRITTEN_BY_SERVERS | NOTED_BY_RUNS or name.name in SERVERS_LOGS:
            continue
        found = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(found.st_mode) else ""
        link = os.readlink(path) if path.is_symlink() else ""  # noqa: PTH115 (as text)
        yield f"file {name}", (*_of(found), content, link)


def _of(found: os.stat_result) -> tuple[int, ...]:
    # A folder's own times tell of a file that came and went. Its size is the file system's business.
    size = found.st_size if stat.S_ISREG(found.st_mode) else 0
    return (found.st_mode, found.st_uid, found.st_gid, found.st_nlink, size, found.st_mtime_ns, found.st_ctime_ns)


RELATIONS = "SELECT oid::regclass::text, relkind::text FROM pg_class WHERE relkind IN ('r', 'S') ORDER BY 1"
SIZES = """
SELECT oid::regclass::text, relkind::text, pg_relation_filenode(oid), pg_relation_size(oid) FROM pg_class
WHERE relkind IN ('r', 'i', 't', 'S')
"""
# Not those of rows, which a session that has long been idle may report only now.
COUNTERS = "SELECT relname, vacuum_count, analyze_count, autovacuum_count FROM pg_stat_user_tables"
# Every row with its place and the transactions that made and locked it: a rewrite of the same values is a change too.
ROWS = """
SELECT count(*), sha256(string_agg(convert_to(concat_ws(' ', ctid, xmin, xmax, t), 'UTF8'), E'\n' ORDER BY ctid))
FROM {} AS t
"""


def database(practice: Practice) -> Iterator[tuple[str, object]]:
    """Yield each table, catalogs included, as the digest of its rows; each sequence; each relation's file and size."""
    with connect(practice.layout, SUPERUSER) as session:
        for name, kind in session.execute(RELATIONS).fetchall():
            yield f"table {name}", _content(session, name, kind)
        for name, *rest in session.execute(SIZES).fetchall():
            yield f"relation {name}", tuple(rest)
        for name, *counts in session.execute(COUNTERS).fetchall():
            yield f"counters {name}", tuple(counts)


def _content(session: Any, name: str, kind: str) -> object:
    query = sql.SQL(ROWS) if kind == "r" else sql.SQL("SELECT last_value, is_called FROM {}")
    return session.execute(query.format(sql.SQL(name))).fetchone()
