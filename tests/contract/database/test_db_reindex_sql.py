"""What the queries of db-reindex answer on real servers, and that what the task does with them is accepted there."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from maintainer import sdk
from tasks.db_check import PLACES
from tasks.db_reindex import DENSITIES, INDEXES, REPLICAS, DbReindex
from tests.contract.database.conftest import ODD, Ask, another, decided
from tests.contract.links.postgres_server import Postgres

SMALL = {"smallest": 100_000}
TEMPORARY = "CREATE INDEX mine_n ON mine (n)"
FULL = 'index "public"."full_one"'
PLANNED = {name: {FULL: {"least": 1.0, "last": 1.0}} for name in ("build-to-replace", "bytes-to-replace")}
"""On record: a rebuild of `full_one` was planned, and not seen to be done."""
BLOATED = f'index "public".{sdk.quoted(ODD)}'


@pytest.fixture(scope="module", autouse=True)
def _relations(postgres: Postgres) -> None:
    """An index with an odd name that is nearly empty, beside a full one, of partitions, and of another owner."""
    postgres.sql(
        "CREATE EXTENSION pgstattuple",
        "CREATE TABLE queue AS SELECT n, md5(n::text) AS word FROM generate_series(1, 20000) AS n",
        f"CREATE INDEX {sdk.quoted(ODD)} ON queue (word)",
        "CREATE INDEX full_one ON queue (n)",
        "DELETE FROM queue WHERE n % 10 <> 0",
        "VACUUM (ANALYZE) queue",
        "REINDEX INDEX full_one",
        "CREATE TABLE parts (n int) PARTITION BY RANGE (n)",
        "CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (100000)",
        "INSERT INTO parts SELECT generate_series(1, 20000)",
        "CREATE INDEX parts_n ON parts (n)",
        "CREATE TABLE his AS SELECT n FROM generate_series(1, 20000) AS n",
        "CREATE INDEX his_n ON his (n)",
        "ALTER TABLE queue OWNER TO maintainer",
        "ALTER TABLE parts OWNER TO maintainer",
        "ALTER TABLE part OWNER TO maintainer",
    )


def indexes(ask: Ask) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in ask(sdk.SqlQuery(text=INDEXES, parameters=dict(SMALL)))}


def due(decision: sdk.Decision) -> dict[str, sdk.Step]:
    return {step.subject: step for step in decision.steps} if isinstance(decision, sdk.Steps) else {}


def remembered(decision: sdk.Decision) -> dict[str, Any]:
    """What a later look finds on record of what this one put there."""
    found: dict[str, Any] = {}
    for one in decision.measured:
        found.setdefault(one.name, {})[one.subject] = {"least": one.value, "last": one.value}
    return found


def test_every_kind_of_index(postgres: Postgres, ask: Ask) -> None:
    """Those of tables and partitions are seen; those of partitioned tables and of other sessions are not."""
    with another(postgres, "CREATE TEMP TABLE mine AS SELECT n FROM generate_series(1, 20000) AS n", TEMPORARY):
        seen = indexes(ask)
    assert {ODD, "part_n_idx", "his_n"} <= seen.keys()
    assert not {"parts_n", "mine_n"} & seen.keys()
    assert (seen[ODD]["permitted"], seen["his_n"]["permitted"]) == (True, False)
    assert seen[ODD]["place"] == str(postgres.folder / "data")
    assert ask(sdk.SqlQuery(text=PLACES)) == [{"path": seen[ODD]["place"]}]


@pytest.mark.fault(36)
def test_an_index_that_somebody_has_to_himself_hides_no_other(postgres: Postgres, ask: Ask) -> None:
    """As while it is rebuilt without CONCURRENTLY: the look does not wait for it, and is not lost by it."""
    with postgres.session("REINDEX INDEX his_n"):
        seen = indexes(ask)
    assert ODD in seen
    assert "his_n" not in seen
    assert "his_n" in indexes(ask)


def test_a_bloated_index_is_found_rebuilt_and_its_gain_recorded(postgres: Postgres, ask: Ask) -> None:
    """Only the bloated one is due; afterwards it is another build, which is not due, and what it gained is known."""
    first = decided(DbReindex(), ask, **SMALL)
    steps = due(first)
    assert list(steps) == [BLOATED]
    assert "to gain" in steps[BLOATED].reason
    before = indexes(ask)[ODD]
    action = steps[BLOATED].action
    assert isinstance(action, sdk.Sql)
    postgres.sql(action.text)
    again = decided(DbReindex(), ask, remembered(first), **SMALL)
    assert due(again) == {}
    after = indexes(ask)[ODD]
    assert after["filenode"] != before["filenode"]
    gained = {one.name: one.value for one in again.measured if one.subject == BLOATED}
    assert gained["reclaimed-bytes"] == before["bytes"] - after["bytes"] > 0


def cancelled(postgres: Postgres, statement: bytes) -> None:
    """Cancel a rebuild while it waits for an old snapshot."""
    with another(postgres, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM study"):
        folder = str(postgres.folder)
        with psycopg.connect(host=folder, port=postgres.port, user="postgres", dbname="pacs") as session:
            session.autocommit = True
            session.execute("SET statement_timeout = '500ms'")
            with pytest.raises(psycopg.errors.QueryCanceled):
                session.execute(statement)


@pytest.fixture
def leftover(postgres: Postgres) -> Iterator[str]:
    cancelled(postgres, b"REINDEX INDEX CONCURRENTLY full_one")
    yield "full_one_ccnew"
    postgres.sql("DROP INDEX IF EXISTS full_one_ccnew")


@pytest.mark.fault(31)
def test_the_leftover_of_somebody_is_told_and_stays(ask: Ask, leftover: str) -> None:
    """What nobody of us has planned is not touched, tonight or after a rebuild of ours has been planned."""
    first = decided(DbReindex(), ask, **SMALL)
    (found,) = [one for one in first.findings if one.cause == "index-invalid"]
    assert (found.subject, found.evidence["kind"]) == (f'index "public"."{leftover}"', "new")
    again = decided(DbReindex(), ask, remembered(first) | PLANNED, **SMALL)
    assert found.subject not in due(again)


@pytest.mark.fault(31)
def test_what_is_left_beside_a_toast_table_is_told(postgres: Postgres, ask: Ask) -> None:
    """Of a whole table's rebuild that somebody began; the valid one beside it is nobody's business here."""
    postgres.sql("CREATE TABLE reports (words text)")
    cancelled(postgres, b"REINDEX TABLE CONCURRENTLY reports")
    decision = decided(DbReindex(), ask, **SMALL)
    (found,) = [one for one in decision.findings if one.cause == "index-invalid"]
    assert re.fullmatch(r'index "pg_toast"\."pg_toast_\d+_index_ccnew"', found.subject)
    assert (found.evidence["table"], found.evidence["ours"]) == ("reports", False)
    assert found.subject not in due(decision)
    postgres.sql(f"DROP INDEX CONCURRENTLY {found.subject.removeprefix('index ')}", "DROP TABLE reports")


def test_what_our_own_rebuild_has_left_is_dropped(postgres: Postgres, ask: Ask, leftover: str) -> None:
    """It came after we had planned to rebuild the index, so the next look drops it."""
    step = due(decided(DbReindex(), ask, PLANNED, **SMALL))[f'index "public"."{leftover}"']
    assert isinstance(step.action, sdk.Sql)
    postgres.sql(step.action.text)
    assert leftover not in indexes(ask)


def test_what_is_being_built_is_no_leftover(postgres: Postgres, ask: Ask, leftover: str) -> None:
    """While somebody has the table locked for a build, nothing beside it is judged."""
    assert not indexes(ask)[leftover]["in_work"]
    with another(postgres, "LOCK TABLE queue IN SHARE UPDATE EXCLUSIVE MODE"):
        assert indexes(ask)[leftover]["in_work"]
        assert not [one for one in decided(DbReindex(), ask, **SMALL).findings if one.cause == "index-invalid"]


def test_a_slot_tells_how_much_it_keeps(postgres: Postgres, ask: Ask) -> None:
    """WAL that a slot keeps is counted from where its reader stands."""
    postgres.sql("SELECT pg_create_physical_replication_slot('idle', true)", "INSERT INTO study (size) VALUES (1)")
    try:
        (slot,) = ask(sdk.SqlQuery(text=REPLICAS))
    finally:
        postgres.sql("SELECT pg_drop_replication_slot('idle')")
    assert (slot["kind"], slot["name"]) == ("slot", "idle")
    assert slot["behind_bytes"] > 0


def test_an_index_that_is_built_half_empty_is_not_bloated(postgres: Postgres, ask: Ask) -> None:
    """Its definition leaves room on its pages: a rebuild would leave the same, every night again."""
    roomy = "CREATE INDEX roomy ON queue (n, word) WITH (fillfactor = 40)"
    postgres.sql("INSERT INTO queue SELECT n, md5(n::text) FROM generate_series(1, 20000) AS n", roomy)
    try:
        subject = 'index "public"."roomy"'
        assert subject not in due(decided(DbReindex(), ask, **SMALL))
        postgres.sql("DELETE FROM queue WHERE n % 10 <> 0", "VACUUM (ANALYZE) queue")
        assert subject in due(decided(DbReindex(), ask, **SMALL))
    finally:
        postgres.sql("DROP INDEX roomy")


def test_the_look_after_a_rebuild_measures_what_was_rebuilt(postgres: Postgres, ask: Ask) -> None:
    """What the first look measured stands: the second reads one index, and finds it dense."""
    postgres.sql(
        "CREATE TABLE churned AS SELECT n, md5(n::text) AS word FROM generate_series(1, 40000) AS n",
        "ALTER TABLE churned OWNER TO maintainer",
        "CREATE INDEX again ON churned (word)",
        "DELETE FROM churned WHERE n % 8 <> 0",
        "VACUUM (ANALYZE) churned",
    )
    subject, read = 'index "public"."again"', list[str]()

    def noted(query: sdk.SqlQuery, **how: Any) -> list[dict[str, Any]]:
        rows = ask(query, **how)
        read.extend(row["name"] for row in rows if query.text == DENSITIES)
        return rows

    try:
        first = decided(DbReindex(), noted, **SMALL)
        assert subject in due(first)
        assert len(read) > 1
        postgres.sql("REINDEX INDEX CONCURRENTLY again")
        read.clear()
        assert subject not in due(decided(DbReindex(), noted, remembered(first), **SMALL))
        assert read == ["again"]
    finally:
        postgres.sql("DROP TABLE churned")
