"""No statement runs while nobody can see whom it keeps waiting."""

import os
import signal
import threading
from datetime import timedelta

import pytest

from maintainer.errors import CouldNotLook, GaveWay
from maintainer.links import postgres_watch
from maintainer.links.postgres_acting import ActingSession
from tests.contract.links.postgres_server import Postgres

PLENTY = timedelta(seconds=60)


def test_nothing_runs_on_unwatched(acting: ActingSession, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the session that watches is lost and the other is not, the statement is cancelled at once."""
    monkeypatch.setattr(postgres_watch, "BLIND", 600.0)
    blinding = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_blocking_pids%'"
    blinded = threading.Timer(1.0, postgres.sql, [f"{blinding} AND pid <> pg_backend_pid()"])
    blinded.start()
    with pytest.raises(GaveWay, match="nobody could see whom it kept waiting"):
        acting.perform("SELECT pg_sleep(30)", PLENTY)
    blinded.join()
    assert acting.perform("SELECT 1", PLENTY)["notices"] == 0, "the next statement has a new one"


def test_nothing_runs_on_when_the_watch_hangs(
    acting: ActingSession, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that watches and gets no answer sees as little as one that is lost."""
    monkeypatch.setattr(postgres_watch, "BLIND", 0.5)
    stopped: list[int] = []

    def stop_the_watching_backend() -> None:
        asked = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_blocking_pids%' AND pid <> pg_backend_pid()"
        stopped.extend(pid for (pid,) in postgres.sql(asked))
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)

    stopping = threading.Timer(1.0, stop_the_watching_backend)
    stopping.start()
    try:
        with pytest.raises(GaveWay, match="nobody could see whom it kept waiting"):
            acting.perform("SELECT pg_sleep(30)", PLENTY)
    finally:
        stopping.join()
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert len(stopped) == 1


def test_nothing_begins_unwatched(acting: ActingSession, postgres: Postgres) -> None:
    """When there is no room for a second session, the statement is not sent."""
    postgres.sql("ALTER ROLE maintainer CONNECTION LIMIT 1")
    try:
        with pytest.raises(CouldNotLook):
            acting.perform("DELETE FROM study", PLENTY)
    finally:
        postgres.sql("ALTER ROLE maintainer CONNECTION LIMIT -1")
    assert postgres.sql("SELECT count(*) FROM study") == [(1000,)]


def test_a_mistake_in_watching_ends_what_nobody_watches(acting: ActingSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is that ends the watching, the statement does not run on without it."""
    monkeypatch.setattr(postgres_watch, "BLIND", 0.5)
    monkeypatch.setattr(postgres_watch, "WAITING", b"SELECT %(pid)s AS pid, 1 AS something, 'client backend' AS kind")
    with pytest.raises(GaveWay, match=r"nobody could see whom it kept waiting \(TypeError\)"):
        acting.perform("SELECT pg_sleep(20)", PLENTY)
