"""What the queries of db-vacuum answer on real servers, and that what the task does with them is accepted there."""

from typing import Any

import pytest

from maintainer import sdk
from tasks.db_vacuum import DATABASES, TABLES, DbVacuum
from tests.contract.database.conftest import ODD, Ask, another, decided
from tests.contract.links.postgres_server import Postgres
from tests.contract.links.servers import wait_for


def tables(ask: Ask, *, age: int = 10**9, role: str = "m") -> dict[str, dict[str, Any]]:
    limits: dict[str, Any] = {"smallest": 1000, "age": age, "multixact_age": 10**9}
    return {row["name"]: row for row in ask(sdk.SqlQuery(text=TABLES, parameters=limits), role=role)}


@pytest.fixture(scope="module", autouse=True)
def _relations(postgres: Postgres) -> None:
    """Relations of each kind that is left alone, one whose name needs quoting, and one of another owner."""
    odd = sdk.quoted("public", ODD)
    postgres.sql(
        "CREATE TABLE odd AS SELECT n FROM generate_series(1, 3000) AS n",
        f"ALTER TABLE odd RENAME TO {sdk.quoted(ODD)}",
        f"ALTER TABLE {odd} OWNER TO maintainer",
        "CREATE TABLE parts (n int) PARTITION BY RANGE (n)",
        "CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (10000)",
        "INSERT INTO parts SELECT generate_series(1, 3000)",
        "ALTER TABLE parts OWNER TO maintainer",
        "ALTER TABLE part OWNER TO maintainer",
        "CREATE TABLE foreigner AS SELECT n FROM generate_series(1, 3000) AS n",
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing",
        "CREATE FOREIGN TABLE abroad (n int) SERVER elsewhere",
    )


def test_every_kind_of_relation(postgres: Postgres, ask: Ask) -> None:
    """Tables and partitions are seen by their names; partitioned, foreign and other sessions' tables are not."""
    with another(postgres, "CREATE TEMP TABLE mine AS SELECT n FROM generate_series(1, 3000) AS n"):
        seen = tables(ask)
    assert {ODD, "part"} <= seen.keys()
    assert not {"parts", "abroad", "mine"} & seen.keys()
    assert seen[ODD]["never_analyzed"]
    assert (seen[ODD]["permitted"], seen["foreigner"]["permitted"]) == (True, False)


def test_what_is_due_is_done_and_no_longer_due(postgres: Postgres, ask: Ask) -> None:
    """The statement is accepted, whatever the table's name, and a second look finds nothing to do."""
    wait_for(lambda: tables(ask)[ODD]["live_rows"] > 0, 60)
    decision = decided(DbVacuum(), ask, smallest=1000)
    assert isinstance(decision, sdk.Steps)
    assert [one.cause for one in decision.findings] == ["vacuum-not-permitted"]
    subjects = {step.subject for step in decision.steps}
    assert f"table {sdk.quoted('public', ODD)}" in subjects
    for step in decision.steps:
        assert isinstance(step.action, sdk.Sql)
        postgres.sql(step.action.text)
    again = decided(DbVacuum(), ask, smallest=1000)
    left = {step.subject for step in again.steps} if isinstance(again, sdk.Steps) else set()
    assert not subjects & left


def test_old_ids_are_seen_and_frozen(postgres: Postgres, ask: Ask) -> None:
    """The age is that of the table or of its TOAST table; after FREEZE it is young."""
    postgres.sql(
        "CREATE TABLE wide AS SELECT 1 AS n, 'x' AS text", *(f"SELECT pg_current_xact_id(), {n}" for n in range(30))
    )
    before = tables(ask, age=20)["wide"]
    assert before["age"] >= 20
    postgres.sql("VACUUM (ANALYZE, FREEZE, TRUNCATE FALSE, SKIP_LOCKED) wide")
    assert "wide" not in tables(ask, age=20)
    ages = {row["name"]: row["age"] for row in ask(sdk.SqlQuery(text=DATABASES))}
    assert ages["pacs"] >= before["age"]


def test_what_holds_rows_back_is_named(postgres: Postgres, ask: Ask) -> None:
    """A prepared transaction and a replication slot hold back without any session; a session is seen by its age."""
    with another(postgres, "INSERT INTO foreigner VALUES (0)", "PREPARE TRANSACTION 'forgotten'"):
        pass
    try:
        (prepared,) = ask(sdk.HORIZON)
    finally:
        postgres.sql("ROLLBACK PREPARED 'forgotten'")
    assert (prepared["kind"], prepared["name"]) == ("prepared", "postgres")
    assert prepared["seconds"] >= 0
    with another(postgres, "SELECT 1", "SELECT pg_sleep(0.2)"):
        (server,) = ask(sdk.SERVER)
    assert server["oldest_transaction_seconds"] >= 0.2
    assert set(server) == set(sdk.DatabaseServer.model_fields)
    assert ask(sdk.HORIZON) == []


def test_a_role_without_rights_cannot_tell(postgres: Postgres, ask: Ask) -> None:
    """Who may not see other sessions is told so, instead of taking the age of the oldest transaction for zero."""
    postgres.sql("CREATE ROLE nobody LOGIN")
    postgres.sql("CREATE TABLE his AS SELECT n FROM generate_series(1, 3000) AS n", "ALTER TABLE his OWNER TO nobody")
    wait_for(lambda: tables(ask, role="nobody")["his"]["live_rows"] > 0, 60)
    decision = decided(DbVacuum(), ask, role="nobody", smallest=1000)
    assert isinstance(decision, sdk.Refuse)
    assert decision.because.startswith("cannot tell")


def test_what_lost_its_statistics_is_unknown(postgres: Postgres, ask: Ask) -> None:
    """After a reset, the few rows deleted since are not all that are dead; an ANALYZE makes the share known again."""
    rows = "FROM generate_series(1, 3000) AS n"
    postgres.sql(
        f"CREATE TABLE lost AS SELECT n {rows}",
        f"CREATE TABLE loaded AS SELECT n {rows}",
        "ALTER TABLE lost OWNER TO maintainer",
        "CREATE INDEX ON loaded (n)",
        "VACUUM lost",
    )
    wait_for(lambda: postgres.sql("SELECT pg_stat_get_last_vacuum_time('lost'::regclass)")[0][0] is not None, 60)
    (row,) = postgres.sql("SELECT pg_stat_get_tuples_inserted('loaded'::regclass), pg_stat_reset()")
    assert row[0] == 3000
    postgres.sql("DELETE FROM lost WHERE n % 10 = 0", "UPDATE loaded SET n = n")
    wait_for(lambda: tables(ask).get("lost", {}).get("dead_rows", 0) > 0, 60)
    seen = tables(ask)
    assert not seen["lost"]["counted"]
    assert seen["lost"]["vacuumed_seconds"] is None
    decision = decided(DbVacuum(), ask, smallest=1000)
    assert "dead-rows-unknown" in {finding.cause for finding in decision.findings}
    steps = decision.steps if isinstance(decision, sdk.Steps) else ()
    assert 'table "public"."lost"' not in {step.subject for step in steps}
    postgres.sql("ANALYZE lost")
    wait_for(lambda: tables(ask)["lost"]["counted"], 60)
    assert 200 < tables(ask)["lost"]["dead_rows"] < 400


def test_what_was_never_lost_is_counted(postgres: Postgres, ask: Ask) -> None:
    """An index that is made later knows as many rows as were counted; whether and when it was vacuumed is told."""
    postgres.sql(
        "CREATE TABLE fresh AS SELECT n FROM generate_series(1, 3000) AS n",
        "CREATE INDEX ON fresh (n)",
        "ALTER TABLE fresh SET (autovacuum_enabled = off)",
        "DELETE FROM fresh WHERE n > 1000",
    )
    wait_for(lambda: tables(ask).get("fresh", {}).get("dead_rows", 0) > 0, 60)
    seen = tables(ask)["fresh"]
    assert (seen["counted"], seen["vacuumed_seconds"], seen["without_autovacuum"]) == (True, None, True)
    postgres.sql("VACUUM fresh", "DELETE FROM fresh WHERE n > 500")
    wait_for(lambda: (tables(ask).get("fresh") or seen)["vacuumed_seconds"] is not None, 60)


@pytest.mark.fault(36)
def test_a_table_that_somebody_has_to_himself_hides_no_other(postgres: Postgres, ask: Ask) -> None:
    """The look does not wait for it, and is not lost by it."""
    with postgres.session(f"LOCK TABLE {sdk.quoted(ODD)}"):
        decided(DbVacuum(), ask, smallest=1000)
        seen = tables(ask, age=0)
    assert seen[ODD]["bytes"] is None
    assert seen["foreigner"]["bytes"] is not None
