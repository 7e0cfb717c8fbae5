"""What db-settings sees of locks, slots, bloat, disks and WAL on real servers, and what it says it cannot know."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from maintainer import sdk
from tasks.db_settings import INDEXES, LARGE, LOCKS, PLACES, WAL, DbSettings
from tasks.settings_facts import BLOAT, MEASURED_AT
from tests.contract.database.conftest import ODD, Ask, decided
from tests.contract.links.postgres_server import Postgres
from tests.contract.links.servers import wait_for

SMALL: dict[str, Any] = {"smallest": 8192, "longest_lock": "0s"}
PATIENT = "DOE^JANE"


@pytest.fixture(autouse=True)
def clean(postgres: Postgres) -> None:
    postgres.sql("DROP TABLE IF EXISTS images", f"CREATE TABLE images (pk int, {sdk.quoted(ODD)} text)")


def found(ask: Ask, cause: str, role: str = "m", **settings: Any) -> list[sdk.Finding]:
    decision = decided(DbSettings(), ask, role=role, **{**SMALL, **settings})
    return [finding for finding in decision.findings if finding.cause == cause]


@pytest.fixture
def holder(postgres: Postgres) -> Iterator[None]:
    """A session of the clinic that has a table to itself, and has last run something that names a patient."""
    with postgres.session("LOCK TABLE images", f"SELECT '{PATIENT}', pg_sleep(0.1)", name="Importer"):
        yield


def waiting(postgres: Postgres) -> int:
    ((count,),) = postgres.sql("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return int(count)


@pytest.mark.usefixtures("holder")
def test_a_strong_lock_is_told_without_what_its_session_runs(ask: Ask) -> None:
    """By relation, mode, application and age of its transaction; no patient's name, no process's number."""
    (held,) = found(ask, "lock-held-long")
    assert held.subject == 'table "public"."images"'
    assert held.evidence == {
        "seconds": 0,
        "lock": "relation",
        "mode": "AccessExclusiveLock",
        "application": "Importer",
        "sessions": 1,
    }
    assert PATIENT not in str(decided(DbSettings(), ask, **SMALL))
    assert found(ask, "lock-held-long", longest_lock="5m") == []


@pytest.mark.usefixtures("holder")
def test_who_waits_is_told(postgres: Postgres, ask: Ask) -> None:
    """Since when it waits, not since when its transaction is open."""
    with psycopg.connect(host=str(postgres.folder), port=postgres.port, user="postgres", dbname="pacs") as waits:
        waits.execute("SET application_name = 'Viewer'; SET lock_timeout = '30s'")
        waits.pgconn.send_query(b"SELECT FROM images")
        wait_for(lambda: waiting(postgres) == 1, 30)
        (told,) = found(ask, "lock-waited-for")
        assert (told.subject, told.evidence["application"]) == ('table "public"."images"', "Viewer")
        assert told.evidence["mode"] == "AccessShareLock"
        waits.cancel()
        waits.close()


@pytest.mark.fault(37)
@pytest.mark.usefixtures("holder")
def test_a_role_without_rights_cannot_tell_how_long(postgres: Postgres, ask: Ask) -> None:
    """It sees that there is a lock, and says that it does not know since when."""
    postgres.sql("DROP ROLE IF EXISTS blind", "CREATE ROLE blind LOGIN")
    (row,) = ask(sdk.SqlQuery(text=LOCKS, parameters={"longest_lock": 300}), role="blind")
    assert (row["mode"], row["seconds"]) == ("AccessExclusiveLock", None)
    assert found(ask, "lock-held-long", role="blind") == []
    (unseen,) = found(ask, "sessions-unreadable", role="blind")
    assert unseen.evidence == {"locks": 1, "standbys": 0}


def test_temporary_tables_and_our_own_sessions_are_left_out(postgres: Postgres, ask: Ask) -> None:
    """They hinder nobody, or give way by themselves."""
    with (
        postgres.session("CREATE TEMP TABLE mine (n int)", "LOCK TABLE mine"),
        postgres.session("LOCK TABLE images", name="maintainer run-1"),
    ):
        assert found(ask, "lock-held-long") == []


def test_an_old_transaction_is_told(postgres: Postgres, ask: Ask) -> None:
    """Also when nothing is to be vacuumed."""
    with postgres.session("SELECT 1", "SELECT pg_sleep(1.1)"):
        (old,) = found(ask, "transaction-open-long", longest_transaction="1s")
    assert old.subject == "database"
    assert found(ask, "transaction-open-long") == []


def test_a_slot_that_keeps_dead_rows(postgres: Postgres, ask: Ask) -> None:
    """A logical one keeps those of the catalogs: it has no xmin of its own."""
    postgres.sql("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
    try:
        postgres.sql(*(f"CREATE TABLE passing_{n} (n int)" for n in range(5)))
        (kept,) = found(ask, "dead-rows-kept", held_back=3)
        assert (kept.subject, kept.evidence["active"]) == ("replication slot feed", False)
        assert found(ask, "dead-rows-kept") == []
    finally:
        postgres.sql("SELECT pg_drop_replication_slot('feed')", *(f"DROP TABLE passing_{n}" for n in range(5)))


@pytest.fixture
def bloated(postgres: Postgres) -> str:
    """A table of which nine tenths are free, whose statistics are fresh, and which only its owner may read."""
    postgres.sql(
        "ALTER TABLE images OWNER TO maintainer",
        "INSERT INTO images SELECT n, repeat('x', 200) FROM generate_series(1, 20000) AS n",
        "DELETE FROM images WHERE pk % 10 <> 0",
    )
    # In another session than what it counts, which is reported when that ends.
    wait_for(lambda: postgres.sql("SELECT pg_stat_get_dead_tuples('images'::regclass)")[0][0] > 0, 60)
    postgres.sql("VACUUM (ANALYZE, TRUNCATE FALSE) images")
    return 'table "public"."images"'


def large(ask: Ask, role: str = "m") -> dict[str, Any]:
    rows = ask(sdk.SqlQuery(text=LARGE, parameters={"smallest": 8192}), role=role)
    return {row["name"]: row for row in rows}


def about(findings: list[sdk.Finding], subject: str) -> sdk.Finding | None:
    return next((finding for finding in findings if finding.subject == subject), None)


def test_bloat_is_estimated_where_it_cannot_be_measured(postgres: Postgres, ask: Ask, bloated: str) -> None:
    """Rather too little than too much; after it is written anew there is none."""
    told = about(found(ask, "table-bloated", role="maintainer"), bloated)
    assert told is not None
    assert (told.severity, told.evidence["by"]) == (sdk.Severity.INFO, "estimate")
    share = int(str(told.evidence["reusable_bytes"])) / int(str(told.evidence["bytes"]))
    assert 0.8 < share <= 0.9
    postgres.sql("VACUUM (FULL, ANALYZE) images")
    assert about(found(ask, "table-bloated", role="maintainer"), bloated) is None


@pytest.mark.fault(37)
def test_bloat_that_cannot_be_told_is_no_number(postgres: Postgres, ask: Ask, bloated: str) -> None:
    """Without statistics of the columns there is no estimate, nor after many changes; it is counted as unknown."""
    postgres.sql("DROP ROLE IF EXISTS blind", "CREATE ROLE blind LOGIN")
    assert large(ask, role="blind")["images"]["estimated_bytes"] is None
    assert about(found(ask, "table-bloated", role="blind"), bloated) is None
    (unknown,) = found(ask, "table-bloat-unknown", role="blind")
    assert int(str(unknown.evidence["tables"])) >= 1
    assert large(ask, role="maintainer")["images"]["estimated_bytes"] is not None
    postgres.sql("UPDATE images SET pk = pk")
    wait_for(lambda: large(ask, role="maintainer")["images"]["estimated_bytes"] is None, 60)


def test_bloat_is_measured_and_kept_on_record(postgres: Postgres, ask: Ask, bloated: str) -> None:
    """Where pgstattuple is; what is locked at that moment is left out and told from the record."""
    postgres.sql("CREATE EXTENSION IF NOT EXISTS pgstattuple")
    try:
        decision = decided(DbSettings(), ask, **SMALL)
        measured = about([one for one in decision.findings if one.cause == "table-bloated"], bloated)
        assert measured is not None
        assert (measured.severity, measured.evidence["by"]) == (sdk.Severity.WARNING, "measurement")
        assert 0.8 < int(str(measured.evidence["reusable_bytes"])) / int(str(measured.evidence["bytes"])) < 1
        assert large(ask)["images"]["bytes_to_read"] < 0.1 * large(ask)["images"]["bytes"]
        record = {
            name: {
                one.subject: {"least": one.value, "last": one.value} for one in decision.measured if one.name == name
            }
            for name in (BLOAT, MEASURED_AT)
        }
        # The size of a table that somebody has to himself is not to be had; a share lock does not hinder a reader.
        with postgres.session("LOCK TABLE images IN SHARE MODE"):
            again = decided(DbSettings(), ask, record, measure_up_to=0, **SMALL)
        kept = about([one for one in again.findings if one.cause == "table-bloated"], bloated)
        assert kept is not None
        assert kept.evidence["by"] == "record"
    finally:
        postgres.sql("DROP EXTENSION pgstattuple")


def test_fillfactor_is_no_bloat(postgres: Postgres, ask: Ask) -> None:
    """What a definition keeps free is used as intended."""
    postgres.sql(
        "CREATE EXTENSION IF NOT EXISTS pgstattuple",
        "DROP TABLE IF EXISTS images",
        "CREATE TABLE images (pk int, uid text) WITH (fillfactor = 30)",
        "ALTER TABLE images OWNER TO maintainer",
        "INSERT INTO images SELECT n, repeat('x', 200) FROM generate_series(1, 5000) AS n",
    )
    wait_for(lambda: postgres.sql("SELECT pg_stat_get_live_tuples('images'::regclass)")[0][0] > 0, 60)
    postgres.sql("VACUUM ANALYZE images")
    try:
        for role in ("m", "maintainer"):
            assert about(found(ask, "table-bloated", role=role), 'table "public"."images"') is None
    finally:
        postgres.sql("DROP EXTENSION pgstattuple")


def test_places_of_tablespaces_and_wal(postgres: Postgres, ask: Ask) -> None:
    """Where they lie on the node's disks; a role that may not know says so, instead of calling it room enough."""
    elsewhere = postgres.folder / "elsewhere"
    elsewhere.mkdir()
    if postgres.owner:
        os.chown(elsewhere, postgres.owner["user"], postgres.owner["group"])
    postgres.sql(f"CREATE TABLESPACE big LOCATION '{elsewhere}'")
    try:
        seen = {row["name"]: row["path"] for row in ask(sdk.SqlQuery(text=PLACES))}
        data = str(postgres.folder / "data")
        assert seen == {"pg_default": data, "big": str(elsewhere), "pg_wal": f"{data}/pg_wal"}
        assert found(ask, "room-unknown") == []
        postgres.sql("DROP ROLE IF EXISTS blind", "CREATE ROLE blind LOGIN")
        (unknown,) = found(ask, "room-unknown", role="blind")
        assert "pg_wal" in str(unknown.evidence["places"]) or "pg_default" in str(unknown.evidence["places"])
    finally:
        postgres.sql("DROP TABLESPACE big")


def test_wal_is_weighed(postgres: Postgres, ask: Ask) -> None:
    """Its bytes against what the server means to keep; without pg_monitor that is said to be unknown."""
    (wal,) = ask(sdk.SqlQuery(text=WAL, calls="pg_ls_waldir()"))
    assert wal["bytes"] >= 16 * 1024**2
    assert wal["meant_bytes"] >= 2**30
    assert wal["archiving_fails"] is False
    postgres.sql("DROP ROLE IF EXISTS blind", "CREATE ROLE blind LOGIN")
    assert ask(sdk.SqlQuery(text=WAL, calls="pg_ls_waldir()"), role="blind") == []
    assert [len(found(ask, "wal-unreadable", role=role)) for role in ("m", "blind")] == [0, 1]


def test_usage_counts_anew_after_a_crash(postgres: Postgres, ask: Ask) -> None:
    """A crash loses what was counted, and does not change since when the server runs: no index is unused by that."""
    postgres.sql("CREATE INDEX idle ON images (pk)", "INSERT INTO images VALUES (1)")
    wait_for(lambda: counted_seconds(ask) > 3, 60)
    started = postgres.sql("SELECT pg_postmaster_start_time()")
    before = time.monotonic()
    with psycopg.connect(host=str(postgres.folder), port=postgres.port, user="postgres", dbname="pacs") as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        wait_for(lambda: _answers(postgres), 60)
    counted = counted_seconds(ask)
    assert counted < time.monotonic() - before + 1
    assert postgres.sql("SELECT pg_postmaster_start_time()") == started


def counted_seconds(ask: Ask) -> float:
    rows = ask(sdk.SqlQuery(text=INDEXES, parameters={"smallest": 1}))
    (seconds,) = [row["counted_seconds"] for row in rows if row["name"] == "idle"]
    return float(seconds)


def _answers(postgres: Postgres) -> bool:
    try:
        return bool(postgres.sql("SELECT 1"))
    except psycopg.OperationalError:
        return False
