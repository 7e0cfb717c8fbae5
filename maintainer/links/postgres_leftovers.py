"""What a concurrent rebuild that does not finish leaves beside its index, and how it is taken away.

Source: PostgreSQL manual, REINDEX, "Rebuilding Indexes Concurrently".
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from maintainer.links.postgres_login import Connection

_REBUILDS = re.compile(r"\s*REINDEX\s+(?:\([^)]*\)\s*)?INDEX\s+CONCURRENTLY\s+(\S.*?)\s*", re.IGNORECASE | re.DOTALL)
LEFTOVERS = files("maintainer.links").joinpath("sql", "leftovers.sql").read_text("utf-8").encode()


@dataclass(frozen=True)
class Rebuild:
    """A concurrent rebuild of an index, and which unfinished ones lay there before it: those are not ours."""

    index: str
    before: frozenset[int]

    @classmethod
    def announced(cls, text: str, connection: Connection) -> "Rebuild | None":
        """Look before a statement is sent; None for one that is no concurrent rebuild of one index."""
        index = rebuilt_index(text)
        return cls(index, frozenset(row["id"] for row in _beside(index, connection))) if index else None

    def left(self, connection: Connection) -> list[str]:
        """Name what lies there since, quoted as SQL wants it."""
        return [row["name"] for row in _beside(self.index, connection) if row["id"] not in self.before]


def rebuilt_index(text: str) -> str:
    """Find the name of the index that a statement rebuilds without blocking anybody.

    >>> rebuilt_index('REINDEX INDEX CONCURRENTLY "public"."study_pkey"')
    '"public"."study_pkey"'
    >>> rebuilt_index("REINDEX (VERBOSE) INDEX CONCURRENTLY a"), rebuilt_index("VACUUM a")
    ('a', '')
    """
    found = _REBUILDS.fullmatch(text)
    return found[1] if found else ""


def _beside(index: str, connection: Connection) -> list[dict[str, Any]]:
    return connection.execute(LEFTOVERS, {"index": index}).fetchall()
