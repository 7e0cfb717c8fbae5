"""What db-settings finds on real servers: each thing as what it is, nothing on a sound one, and never a guess."""

from typing import Any

import psycopg
import pytest

from maintainer import sdk
from tasks.db_settings import SEQUENCES, VALUES, DbSettings
from tasks.settings_rules import RULES
from tests.contract.database.conftest import ODD, Ask, decided
from tests.contract.links.postgres_server import Postgres
from tests.contract.links.servers import wait_for

LIMITS: dict[str, Any] = {"smallest": 8192, "unused_for": "0s"}


@pytest.fixture(autouse=True)
def clean(postgres: Postgres) -> None:
    """Each test makes what it is about; what another one left would be found, too."""
    postgres.sql(
        "DROP TABLE IF EXISTS images",
        f"CREATE TABLE images (pk serial PRIMARY KEY, uid text, {sdk.quoted(ODD)} int)",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO m",
    )


def found(ask: Ask, *causes: str) -> dict[str, sdk.Finding]:
    """What is found of these causes, by subject."""
    decision = decided(DbSettings(), ask, **LIMITS)
    assert isinstance(decision, sdk.Nothing)
    return {finding.subject: finding for finding in decision.findings if finding.cause in causes}


def test_settings_are_told_by_their_value(postgres: Postgres, ask: Ask) -> None:
    """This server runs without autovacuum and without fsync, as tests' servers do."""
    told = found(ask, "setting-unsafe", "setting-against-upkeep")
    assert told["setting autovacuum"].evidence == {"value": "off"}
    known = {row["name"] for row in ask(sdk.SqlQuery(text=VALUES, parameters={"names": "fsync autovacuum no_such"}))}
    assert known == {"fsync", "autovacuum"}
    (fsync,) = postgres.sql("SHOW fsync")[0]
    assert ("setting fsync" in told) == (fsync == "off")


def test_a_session_of_ours_does_not_answer_for_the_server(postgres: Postgres) -> None:
    """What our sessions set for themselves, as how long they may be idle, says nothing of the archive's."""
    with psycopg.connect(host=str(postgres.folder), port=postgres.port, user="m", dbname="pacs") as session:
        session.execute("SET idle_in_transaction_session_timeout = '1min'")
        seen = session.execute(VALUES.encode(), {"names": "idle_in_transaction_session_timeout"}).fetchall()
    assert seen == [("idle_in_transaction_session_timeout", "0")]


def test_every_judged_setting_exists_in_some_version(postgres: Postgres) -> None:
    """A name that no server knows would never be found wrong."""
    version = int(postgres.sql("SHOW server_version_num")[0][0])
    newer = (
        {"ignore_invalid_pages"} if version < 130000 else {"vacuum_defer_cleanup_age"} if version >= 160000 else set()
    )
    newer |= {"transaction_timeout"} if version < 170000 else set()
    names = {name for (name,) in postgres.sql("SELECT name FROM pg_settings")}
    assert {rule.name for rule in RULES} - names <= newer


def test_a_sequence_ends_where_its_column_does(postgres: Postgres, ask: Ask) -> None:
    """One of bigint that fills an integer ends with the integer; one that begins anew has no end."""
    postgres.sql(
        "ALTER SEQUENCE images_pk_seq AS bigint",
        "SELECT setval('images_pk_seq', 2100000000)",
        "DROP SEQUENCE IF EXISTS circle",
        "CREATE SEQUENCE circle MAXVALUE 10 CYCLE",
        "SELECT setval('circle', 10)",
    )
    told = found(ask, "sequence-near-its-end", "sequences-unreadable")
    assert list(told) == ['sequence "public"."images_pk_seq"']
    (finding,) = told.values()
    assert (finding.severity, finding.evidence["last_value"]) == (sdk.Severity.CRITICAL, 2100000000)


@pytest.mark.fault(37)
def test_a_sequence_that_may_not_be_read_is_not_taken_for_unused(postgres: Postgres, ask: Ask) -> None:
    """It is counted as one of which nobody can tell."""
    postgres.sql("REVOKE ALL ON SEQUENCE images_pk_seq FROM m", "SELECT setval('images_pk_seq', 2100000000)")
    (row,) = [
        row for row in ask(sdk.SqlQuery(text=SEQUENCES, parameters={"used": 0.8})) if row["name"] == "images_pk_seq"
    ]
    assert (row["readable"], row["last_value"]) == (False, None)
    assert found(ask, "sequences-unreadable", "sequence-near-its-end").keys() == {"database"}


def test_a_sequence_that_somebody_has_to_himself_hides_no_other(postgres: Postgres, ask: Ask) -> None:
    """Nobody waits for it, and it is judged when it is free."""
    postgres.sql(
        "SELECT setval('images_pk_seq', 2100000000)",
        "CREATE TABLE his (pk smallserial)",
        "GRANT USAGE ON SEQUENCE his_pk_seq TO m",
        "SELECT setval('his_pk_seq', 32767)",
    )
    his, other = ('sequence "public"."his_pk_seq"', 'sequence "public"."images_pk_seq"')
    with postgres.session("DROP TABLE his") as session:
        assert list(found(ask, "sequence-near-its-end")) == [other]
        session.rollback()
    assert found(ask, "sequence-near-its-end").keys() == {his, other}
    postgres.sql("DROP TABLE his")


def test_a_table_out_of_autovacuum(postgres: Postgres, ask: Ask) -> None:
    """However the setting is spelled; the advice, followed, ends it."""
    postgres.sql("ALTER TABLE images SET (autovacuum_enabled = off)")
    told = found(ask, "table-without-autovacuum")
    assert list(told) == ['table "public"."images"']
    (finding,) = told.values()
    postgres.sql(finding.advice.partition(":")[0])
    assert found(ask, "table-without-autovacuum") == {}


def test_superfluous_indexes(postgres: Postgres, ask: Ask) -> None:
    """The same columns, order and condition again; not the constraint itself, nor one that differs in any of them."""
    odd = sdk.quoted(ODD)
    postgres.sql(
        "CREATE INDEX first ON images (uid)",
        "CREATE INDEX again ON images (uid)",
        "CREATE INDEX backwards ON images (uid DESC)",
        "CREATE INDEX part ON images (uid) WHERE pk > 5",
        "CREATE INDEX of_key ON images (pk)",
        f"CREATE INDEX {odd} ON images ({odd})",
    )
    same = {subject: finding.evidence["same_as"] for subject, finding in found(ask, "index-duplicate").items()}
    assert same == {
        'index "public"."again"': '"public"."first"',
        'index "public"."of_key"': '"public"."images_pkey"',
    }
    # Usage is counted since the server was made, which may be less than a second ago.
    wait_for(lambda: bool(found(ask, "index-unused")), 30)
    unused = found(ask, "index-unused")
    assert f"index {sdk.quoted('public', ODD)}" in unused
    assert 'index "public"."images_pkey"' not in unused


def test_a_slot_that_keeps_the_log(postgres: Postgres, ask: Ask) -> None:
    """Of the bytes between where it stands and where the server writes."""
    postgres.sql("SELECT pg_create_physical_replication_slot('gone', true)")
    try:
        postgres.sql("CREATE TABLE much AS SELECT repeat('x', 1000) FROM generate_series(1, 2000)", "DROP TABLE much")
        decision = decided(DbSettings(), ask, slot_keeps=1_000_000)
        (finding,) = [finding for finding in decision.findings if finding.cause == "slot-keeps-wal"]
        assert (finding.subject, finding.severity) == ("replication slot gone", sdk.Severity.CRITICAL)
        assert int(str(finding.evidence["bytes"])) > 1_000_000
        assert decided(DbSettings(), ask, slot_keeps=10**12).findings != decision.findings
    finally:
        postgres.sql("SELECT pg_drop_replication_slot('gone')")


def test_a_slot_whose_log_is_lost(postgres: Postgres, ask: Ask) -> None:
    """First it may go at the next checkpoint, then it is gone: known from PostgreSQL 13 on."""
    if postgres.sql("SELECT current_setting('max_slot_wal_keep_size', true)") == [(None,)]:
        pytest.skip("this version keeps all of it for ever")
    postgres.sql(
        "SELECT pg_create_physical_replication_slot('late', true)",
        "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'",
        "SELECT pg_reload_conf()",
    )
    try:
        for _ in range(4):
            postgres.sql("SELECT pg_logical_emit_message(false, 'test', 'x')", "SELECT pg_switch_wal()")
        wait_for(lambda: bool(found(ask, "slot-loses-wal")), 30)
        (near,) = found(ask, "slot-loses-wal").values()
        assert (near.subject, near.severity) == ("replication slot late", sdk.Severity.WARNING)
        postgres.sql("CHECKPOINT")
        (lost,) = found(ask, "slot-lost", "slot-loses-wal", "slot-keeps-wal").values()
        assert (lost.subject, lost.cause, lost.severity) == (near.subject, "slot-lost", sdk.Severity.CRITICAL)
        assert lost.evidence == {"because": "wal_removed", "active": False}
    finally:
        postgres.sql(
            "SELECT pg_drop_replication_slot('late')",
            "ALTER SYSTEM RESET max_slot_wal_keep_size",
            "SELECT pg_reload_conf()",
        )


def test_it_needs_no_privilege_but_to_connect(postgres: Postgres, ask: Ask) -> None:
    """A role with nothing is answered, and writes nothing."""
    postgres.sql("DROP ROLE IF EXISTS nobody_special", "CREATE ROLE nobody_special LOGIN")
    decision = decided(DbSettings(), ask, role="nobody_special")
    assert isinstance(decision, sdk.Nothing)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        ask(sdk.SqlQuery(text="CREATE TABLE written (n int)"))
