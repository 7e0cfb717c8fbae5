"""What the database sessions promise, against a real PostgreSQL behind a real sshd."""

import os
import signal
import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, GaveWay
from maintainer.links.postgres import ReadingSession
from maintainer.links.postgres_acting import ActingSession
from maintainer.links.tunnel import Tunnel
from tests.contract.links.postgres_server import Describe, Postgres

PLENTY = timedelta(seconds=30)


def test_rows_are_plain_values(reading: ReadingSession) -> None:
    """What a query answers can be written as JSON and read by pydantic."""
    rows = reading.rows(
        "SELECT 1.5::numeric AS n, interval '1 day 2 hours' AS i, timestamptz '2026-01-02 03:04:05+00' AS t,"
        " NULL AS nothing, ARRAY[1,2] AS a, %(word)s::text AS w, '\\x00ff'::bytea AS b",
        {"word": "100%"},
        PLENTY,
    )
    [row] = rows
    assert row["t"].startswith("2026-01-02T")
    assert row | {"t": ""} == {"n": 1.5, "i": "P1DT2H", "t": "", "nothing": None, "a": [1, 2], "w": "100%", "b": "00ff"}


def test_a_percent_sign_needs_no_care_without_parameters(reading: ReadingSession) -> None:
    """A query file may say LIKE 'x%' as it is."""
    assert reading.rows("SELECT 'abc' LIKE 'a%' AS yes", {}, PLENTY) == [{"yes": True}]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO study (patient) VALUES ('x')",
        "DELETE FROM study",
        "CREATE TABLE t (i int)",
        "SELECT nextval('study_id_seq')",
        "TRUNCATE study",
        "VACUUM study",
        "REINDEX TABLE study",
        "SET TRANSACTION READ WRITE",
        "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM study; END $$",
        "DO $$ BEGIN COMMIT; SET TRANSACTION READ WRITE; DELETE FROM study; END $$",
        "SELECT 1; DELETE FROM study",
        "COMMIT; DELETE FROM study",
    ],
)
def test_nothing_can_be_written_while_reading(reading: ReadingSession, postgres: Postgres, statement: str) -> None:
    """Not by a plain write, not by asking for a transaction that writes, not behind a semicolon."""
    with pytest.raises(CouldNotLook):
        reading.rows(statement, {}, PLENTY)
    assert postgres.sql("SELECT count(*) FROM study") == [(1000,)]
    assert reading.rows("SELECT 1 AS one", {}, PLENTY) == [{"one": 1}]


def test_a_setting_changed_while_reading_is_rolled_back(reading: ReadingSession, postgres: Postgres) -> None:
    """Turning the default off, or leaving the transaction, lets no later statement write either."""
    for trick in (
        "SET default_transaction_read_only = off",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "COMMIT",
    ):
        reading.rows("SELECT 1 AS one", {}, PLENTY)
        with suppress(CouldNotLook):
            reading.rows(trick, {}, PLENTY)
        with pytest.raises(CouldNotLook, match="may only read"):
            reading.rows("DELETE FROM study", {}, PLENTY)
    assert postgres.sql("SELECT count(*) FROM study") == [(1000,)]


def test_too_many_rows(reading: ReadingSession) -> None:
    """A mistaken query is stopped at the bound, on the server too, and the session stays usable."""
    begun = time.monotonic()
    with pytest.raises(CouldNotLook, match="more than 1,000 rows"):
        reading.rows("SELECT generate_series(1, 1000000000) AS n", {}, PLENTY, at_most=1000)
    assert time.monotonic() - begun < 5
    assert reading.rows("SELECT 1 AS one", {}, PLENTY) == [{"one": 1}]


def test_a_slow_query_is_stopped_by_the_server(reading: ReadingSession) -> None:
    """The time limit is the server's, so that nothing runs on there."""
    with pytest.raises(CouldNotLook, match="cancelled, by its time limit"):
        reading.rows("SELECT pg_sleep(20)", {}, timedelta(seconds=0.3))


def test_the_session_says_who_it_is(reading: ReadingSession) -> None:
    """A sysadmin who looks at pg_stat_activity sees the run's name and the limits."""
    [row] = reading.rows(
        "SELECT application_name AS who, current_setting('lock_timeout') AS lock,"
        " current_setting('statement_timeout') AS statement, current_setting('idle_session_timeout') AS idle"
        " FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        {},
        PLENTY,
    )
    assert row == {"who": "maintainer 01J", "lock": "1s", "statement": "30s", "idle": "12h"}


def test_the_environment_decides_nothing(tunnel: Tunnel, described: Describe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of libpq in the agent's environment must not lead it to another server or user."""
    for name, value in {"PGHOSTADDR": "192.0.2.1", "PGOPTIONS": "-c work_mem=1", "PGUSER": "postgres"}.items():
        monkeypatch.setenv(name, value)
    with ReadingSession(tunnel, described(), "01J") as session:
        assert session.rows("SELECT session_user::text AS me", {}, PLENTY) == [{"me": "maintainer"}]


def test_acting_runs_what_needs_no_transaction(acting: ActingSession) -> None:
    """VACUUM and REINDEX CONCURRENTLY run outside any transaction block, timed and with their notices counted."""
    measured = acting.perform("VACUUM (ANALYZE, VERBOSE) study", PLENTY)
    assert measured["seconds"] >= 0
    assert measured["notices"] > 0
    assert acting.perform('REINDEX INDEX CONCURRENTLY "study_pkey"', PLENTY)["notices"] == 0


def test_a_statement_has_settings_of_its_own(acting: ActingSession, postgres: Postgres) -> None:
    """How much of the server it may take goes with it; what this version does not know is left out."""
    postgres.sql("CREATE TABLE seen (cost int)", "ALTER TABLE seen OWNER TO maintainer")
    note = "INSERT INTO seen SELECT current_setting('vacuum_cost_limit')::int"
    unknown: Any = {"setting_of_version_99": 1}
    acting.perform(note, PLENTY, {"vacuum_cost_limit": 1234, **unknown})
    assert postgres.sql("SELECT cost FROM seen") == [(1234,)]
    with pytest.raises(ActionFailed, match="22023"):
        acting.perform(note, PLENTY, {"vacuum_cost_limit": "plenty"})
    assert postgres.sql("SELECT count(*) FROM seen") == [(1,)]


def test_acting_takes_one_statement(acting: ActingSession, postgres: Postgres) -> None:
    """Nothing can be smuggled in behind an approved statement."""
    with pytest.raises(ActionFailed):
        acting.perform("ANALYZE study; DELETE FROM study", PLENTY)
    assert postgres.sql("SELECT count(*) FROM study") == [(1000,)]


@pytest.mark.fault(36)
def test_a_lock_is_given_up_within_a_second(acting: ActingSession, postgres: Postgres) -> None:
    """Whoever queues behind us for the table never waits longer than that."""
    with postgres.session("LOCK TABLE study IN ACCESS EXCLUSIVE MODE"):
        begun = time.monotonic()
        with pytest.raises(GaveWay, match="a lock was not to be had"):
            acting.perform("ANALYZE study", PLENTY)
        assert 0.8 < time.monotonic() - begun < 3


def test_concurrently_waits_for_older_snapshots(acting: ActingSession, postgres: Postgres) -> None:
    """lock_timeout would count that wait; nobody is held up by it, so only the statement's own limit ends it."""
    with postgres.session("SELECT count(*) FROM study"):
        threading.Timer(1.6, lambda: postgres.sql("SELECT 1")).start()
        begun = time.monotonic()
        with pytest.raises(ActionFailed, match="cancelled"):
            acting.perform('REINDEX INDEX CONCURRENTLY "study_pkey"', timedelta(seconds=2))
        assert time.monotonic() - begun > 1.8
    postgres.sql("DROP INDEX CONCURRENTLY IF EXISTS study_pkey_ccnew")


def test_cancelling_from_another_thread(acting: ActingSession, postgres: Postgres) -> None:
    """A run that is being stopped cancels the statement, and the server stops it."""
    threading.Timer(0.5, acting.cancel).start()
    begun = time.monotonic()
    with pytest.raises(ActionFailed, match="cancelled"):
        acting.perform("SELECT pg_sleep(20)", PLENTY)
    assert time.monotonic() - begun < 3
    assert postgres.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(2%' AND state = 'active'"
        " AND pid <> pg_backend_pid()"
    ) == [(0,)]


def test_an_interrupt_cancels_on_the_server(acting: ActingSession, postgres: Postgres) -> None:
    """Ctrl-C leaves nothing running."""
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        acting.perform("SELECT pg_sleep(21)", PLENTY)
    assert postgres.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(21%' AND state = 'active'"
        " AND pid <> pg_backend_pid()"
    ) == [(0,)]


def test_an_error_tells_no_values(acting: ActingSession) -> None:
    """The server's text would name the patient; ours names the constraint."""
    with pytest.raises(ActionFailed) as failure:
        acting.perform("INSERT INTO study (patient) VALUES ('DOE^JANE')", PLENTY)
    assert "DOE" not in str(failure.value)
    assert "23514 (CheckViolation): public.study, study_patient_check" in failure.value.what
    assert failure.value.__cause__ is None


def test_a_missing_privilege(reading: ReadingSession) -> None:
    """A table of somebody else's is not silently seen as empty."""
    with pytest.raises(CouldNotLook, match="user maintainer lacks a privilege"):
        reading.rows("SELECT * FROM secret", {}, PLENTY)
