"""What the query about our role answers, and how it is judged, on a real server."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import dict_row

from maintainer.planning.privileges import ROLE, DatabaseRole, of_role
from tests.contract.links import postgres_server


@pytest.fixture(scope="module")
def server() -> Iterator[postgres_server.Postgres]:
    started = postgres_server.start()
    yield started
    postgres_server.stop(started)


def objections(server: postgres_server.Postgres, role: str, *grants: str) -> list[str]:
    """Make a role, grant, ask as that role, and judge."""
    server.sql(f"CREATE ROLE {role} LOGIN", *grants)
    with psycopg.connect(host=str(server.folder), port=server.port, user=role, dbname="pacs") as connection:
        row = connection.cursor(row_factory=dict_row).execute(ROLE.text.encode()).fetchone()
    return [one.detail for one in of_role(DatabaseRole.model_validate(row))]


def test_too_little(server: postgres_server.Postgres) -> None:
    """A role without any grant lacks both."""
    assert objections(server, "bare") == [
        "missing: bare sees no other sessions",
        "missing: bare may not vacuum or reindex 2 of 2 tables",
    ]


def test_the_owners_member_may_maintain_the_owners_tables(server: postgres_server.Postgres) -> None:
    """Of two tables of two owners, membership of one owner leaves one."""
    grants = ("GRANT pg_monitor TO half", "GRANT maintainer TO half")
    assert objections(server, "half", *grants) == ["missing: half may not vacuum or reindex 1 of 2 tables"]


def test_just_enough(server: postgres_server.Postgres) -> None:
    """What the printed set-up grants is neither too little nor too much."""
    assert objections(server, "fit", "GRANT pg_monitor, pg_stat_scan_tables, pg_maintain TO fit") == []


def test_too_much(server: postgres_server.Postgres) -> None:
    """A superuser, and rights that maintenance never needs, are told."""
    assert objections(server, "chief", "ALTER ROLE chief SUPERUSER") == ["too wide: chief is a superuser"]
    grants = ("ALTER ROLE wide CREATEROLE", "GRANT pg_monitor, pg_maintain, pg_read_all_data TO wide")
    assert objections(server, "wide", *grants) == ["too wide: wide has CREATEROLE, pg_read_all_data"]
