"""An archive's index: rows that tests put in, and questions as the product asks them."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from maintainer.archives import ArchiveProduct

_COLUMNS = """\
SELECT column_name AS name, data_type AS type
FROM information_schema.columns
WHERE table_name = %s AND is_nullable = 'NO' AND column_default IS NULL"""
_ALL = "SELECT column_name AS name FROM information_schema.columns WHERE table_name = %s"
_ANY = {"boolean": False, "smallint": 0, "integer": 0, "bytea": b"x", "character varying": "x", "text": "x"}


def schemas(own: dict[str, str], variable: str) -> dict[str, str]:
    """Tables in our own words, and real ones where an environment variable names files (parted by colons) of them."""
    real = filter(None, os.environ.get(variable, "").split(":"))
    return own | {Path(file).stem: Path(file).read_text() for file in real}


@dataclass
class Index:
    connection: psycopg.Connection[dict[str, Any]]
    _numbers: dict[str, int] = field(default_factory=dict)

    def insert(self, table: str, **given: Any) -> None:
        """Insert a row. What the real table must have besides is filled in, and no foreign key is looked at."""
        self._numbers[table] = number = self._numbers.get(table, 0) + 1
        row: dict[str, Any] = {}
        for column in self.connection.execute(_COLUMNS, [table]).fetchall():
            row[column["name"]] = "2026-11-24" if "time" in column["type"] else _ANY.get(column["type"], number)
        row |= given
        names, places = ", ".join(row), ", ".join(["%s"] * len(row))
        self.connection.execute("SET session_replication_role = replica")
        self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})".encode(), list(row.values()))  # noqa: S608 (names of a test)

    def copy(self, table: str, times: int) -> None:
        """Insert the row with pk 1 so many times more, under the numbers that follow."""
        found = self.connection.execute(_ALL, [table]).fetchall()
        names = ", ".join(row["name"] for row in found if row["name"] != "pk")
        rows = f"SELECT n, {names} FROM {table}, generate_series(2, {times}) AS n WHERE pk = 1"  # noqa: S608 (names of a test)
        self.connection.execute(f"INSERT INTO {table} (pk, {names}) {rows}".encode())
        self.connection.execute(b"ANALYZE")

    def ask(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        return self.connection.execute(query.encode(), parameters).fetchall()

    def pages(self, product: ArchiveProduct, size: int) -> list[dict[str, Any]]:
        """Everything that is listed, read in pages of so many."""
        found: list[dict[str, Any]] = []
        while page := self.ask(product.objects_sql, after=found[-1]["key"] if found else 0, limit=size):
            assert len(page) <= size
            found += page
        return found

    def known(self, product: ArchiveProduct, *paths: str) -> set[str]:
        return {row["path"] for row in self.ask(product.known_sql, paths=list(paths))}

    def unjudged(self, product: ArchiveProduct) -> set[tuple[str, str, int]]:
        return {(row["what"], row["storage"], row["objects"]) for row in self.ask(product.unjudged_sql)}

    def as_role(self, role: str, tables: tuple[str, ...]) -> None:
        """Go on as somebody who may read these tables and nothing else."""
        self.connection.execute(f"DROP ROLE IF EXISTS {role}".encode())
        self.connection.execute(f"CREATE ROLE {role}".encode())
        self.connection.execute(f"GRANT SELECT ON {', '.join(tables)} TO {role}".encode())
        self.connection.execute(f"SET ROLE {role}".encode())

    def drop_role(self, role: str) -> None:
        self.connection.execute(b"RESET ROLE")
        self.connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())

    def plan(self, query: str, **parameters: Any) -> str:
        rows = self.connection.execute(f"EXPLAIN {query}".encode(), parameters).fetchall()
        return "\n".join(str(line) for row in rows for line in row.values())
