"""A statement of ours harms nobody: it is watched while it runs, and gives way to whoever waits for it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from maintainer.errors import ActionFailed, CouldNotLook, GaveWay
from maintainer.links import postgres_watch
from maintainer.links.postgres_acting import ActingSession
from maintainer.links.ssh import SshLink
from maintainer.links.tunnel import Tunnel
from maintainer.model.action import Setting
from maintainer.model.inventory import Database, SecretFile
from maintainer.model.progress import Progress
from tests.contract.links import postgres_server
from tests.contract.links.postgres_server import PASSWORD, Postgres
from tests.contract.links.servers import SshServer

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
PLENTY = timedelta(seconds=60)
SLOWLY: dict[Setting, int | str] = {"vacuum_cost_delay": 100, "vacuum_cost_limit": 1}
UNFINISHED = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
REBUILD = 'REINDEX INDEX CONCURRENTLY "public"."study_pkey"'
A_SNAPSHOT = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM secret")


@pytest.fixture
def large(postgres: Postgres) -> Iterator[str]:
    """A table whose vacuum takes a while."""
    fill(postgres)
    yield "large"
    postgres.sql("DROP TABLE large")


def fill(postgres: Postgres) -> None:
    postgres.sql(
        "CREATE TABLE large (id int, note text) WITH (autovacuum_enabled = off)",
        "INSERT INTO large SELECT n, repeat('x', 500) FROM generate_series(1, 4000) AS n",
        "UPDATE large SET id = id + 1",
        "ALTER TABLE large OWNER TO maintainer",
    )


@pytest.fixture
def tidy(postgres: Postgres) -> Iterator[None]:
    """No test leaves an unfinished index to the next."""
    yield
    for name in ("study_pkey_ccnew", "study_pkey_ccold"):
        postgres.sql(f"DROP INDEX IF EXISTS {name}")


class Clinic(threading.Thread):
    """A session that does one thing some time later, and notes how long it took."""

    def __init__(self, postgres: Postgres, statement: str, *, name: str = "Orthanc", after: float = 1.0) -> None:
        super().__init__()
        self.seconds = 0.0
        self._postgres, self._statement, self._name, self._after = postgres, statement, name, after

    def run(self) -> None:
        time.sleep(self._after)
        with self._postgres.session(name=self._name) as session:
            session.autocommit = "CONCURRENTLY" in self._statement  # it refuses to run in a transaction block
            begun = time.monotonic()
            session.execute(self._statement.encode())
            self.seconds = time.monotonic() - begun


@contextmanager
def at_work(clinic: Clinic) -> Iterator[None]:
    clinic.start()
    try:
        yield
    finally:
        clinic.join()


@pytest.mark.fault(36)
def test_fault_36_a_vacuum_gives_way_to_whoever_waits_for_it(
    acting: ActingSession, postgres: Postgres, large: str
) -> None:
    """Half a second later it is cancelled, not terminated, and says for whom; the session is as good as before."""
    clinic = Clinic(postgres, f"ALTER TABLE {large} ADD COLUMN more int")
    with at_work(clinic), pytest.raises(GaveWay, match=r"it kept Orthanc \(client backend\) waiting for 0\.[5-9] s"):
        acting.perform(f"VACUUM {large}", PLENTY, SLOWLY)
    assert postgres_watch.PATIENCE <= clinic.seconds < 5
    assert acting.perform("SELECT 1", PLENTY)["notices"] == 0


@pytest.mark.fault(36)
@pytest.mark.usefixtures("tidy")
def test_fault_36_a_rebuild_gives_way_and_leaves_nothing(acting: ActingSession, postgres: Postgres) -> None:
    """While it waits for an old snapshot somebody wants to change the table: what was built is dropped."""
    clinic = Clinic(postgres, "ALTER TABLE study ADD COLUMN IF NOT EXISTS more int", name="DOE^JANE")
    with postgres.session(*A_SNAPSHOT), at_work(clinic), pytest.raises(GaveWay) as given:
        acting.perform(REBUILD, PLENTY)
    assert "it kept a session (client backend) waiting" in given.value.what
    assert "what it had built was dropped: public.study_pkey_ccnew" in given.value.what
    assert postgres.sql(UNFINISHED) == [(0,)]
    assert clinic.seconds < 5


@pytest.mark.fault(36)
def test_fault_36_a_table_that_is_locked_is_skipped_and_said(acting: ActingSession, postgres: Postgres) -> None:
    """SKIP_LOCKED answers well and does nothing: that, too, is giving way."""
    with (
        postgres.session("LOCK TABLE study IN SHARE UPDATE EXCLUSIVE MODE"),
        pytest.raises(GaveWay, match="a table was skipped"),
    ):
        acting.perform("VACUUM (ANALYZE, SKIP_LOCKED) study", PLENTY)


@pytest.mark.skipif(not DEBIAN_15.exists(), reason="no PostgreSQL 15 here: apt-get install postgresql-15")
def test_another_version_is_watched_too(gateway: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the PostgreSQL of Debian 12: whom it keeps waiting is seen, and how far it is."""
    monkeypatch.setattr(postgres_watch, "TOLD_EVERY", 0.2)
    server, told = postgres_server.start(DEBIAN_15), list[Progress]()
    try:
        fill(server)
        (tmp_path / "password").write_text(PASSWORD)
        (tmp_path / "password").chmod(0o600)
        secret = SecretFile(file=str(tmp_path / "password"))
        database = Database(name="pacs", user="maintainer", password=secret, port=server.port)
        clinic = Clinic(server, "ALTER TABLE large ADD COLUMN more int", after=2.0)
        with (
            SshLink.connect("pacs-a", gateway.node()) as link,
            Tunnel(link, "127.0.0.1", server.port) as tunnel,
            ActingSession(tunnel, database, "01J") as acting,
            at_work(clinic),
            pytest.raises(GaveWay, match="it kept Orthanc"),
        ):
            acting.perform("VACUUM large", PLENTY, SLOWLY, told.append)
    finally:
        postgres_server.stop(server)
    assert {one.phase for one in told} == {"scanning heap"}
    assert clinic.seconds < 5


def test_who_does_not_wait_for_us_does_not_count(acting: ActingSession, postgres: Postgres) -> None:
    """Two sessions of the clinic that wait for each other are none of our business."""
    other = Clinic(postgres, "LOCK TABLE study IN ACCESS EXCLUSIVE MODE", after=0.0)
    with postgres.session("LOCK TABLE study IN ACCESS EXCLUSIVE MODE") as holder, at_work(other):
        threading.Timer(2.0, holder.rollback).start()
        assert acting.perform("SELECT pg_sleep(1.5)", PLENTY)["seconds"] >= 1.5
    assert other.seconds > 1


@pytest.mark.usefixtures("tidy")
def test_without_the_time_since_when_it_is_counted_here(
    acting: ActingSession, postgres: Postgres, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server before 14 does not say since when a session waits."""
    monkeypatch.setattr(postgres_watch, "WAITING", postgres_watch.WAITING.replace(b"'waitstart'", b"'nothing'"))
    clinic = Clinic(postgres, f"ALTER TABLE {large} ADD COLUMN more int")
    with at_work(clinic), pytest.raises(GaveWay, match="it kept Orthanc"):
        acting.perform(f"VACUUM {large}", PLENTY, SLOWLY)
    assert clinic.seconds < 5


@pytest.fixture
def sampled(postgres: Postgres) -> Iterator[str]:
    """A table whose analyze takes a while, and which has an index."""
    postgres.sql(
        "CREATE TABLE sampled (id int PRIMARY KEY, note text) WITH (autovacuum_enabled = off)",
        "INSERT INTO sampled SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n",
        "ALTER TABLE sampled OWNER TO maintainer",
    )
    yield "sampled"
    postgres.sql("DROP TABLE sampled")


CROSSED = "SELECT count(*) FROM sampled AS a, sampled AS b WHERE a.id + b.id < 0"
READS_WHOLE = "SELECT pg_sleep(20) FROM sampled LIMIT 1"
"""Holds what a check by amcheck holds while it reads: the lock of a reader, and a snapshot."""


@pytest.mark.fault(36)
@pytest.mark.parametrize("statement", ["ANALYZE sampled", "VACUUM (ANALYZE, FREEZE) sampled", READS_WHOLE])
def test_fault_36_who_waits_behind_a_waiter_is_let_through_with_it(
    acting: ActingSession, postgres: Postgres, sampled: str, statement: str
) -> None:
    """A change of the table waits for us, and a reader behind the change: both go on, whatever we were doing."""
    change = Clinic(postgres, f"ALTER TABLE {sampled} ADD COLUMN more int")
    reader = Clinic(postgres, f"TABLE {sampled} LIMIT 1", name="viewer", after=1.2)
    with at_work(change), at_work(reader), pytest.raises(GaveWay, match="waiting for"):
        acting.perform(statement, PLENTY, SLOWLY)
    assert change.seconds < 5
    assert reader.seconds < 5


@pytest.mark.fault(36)
def test_fault_36_who_waits_for_our_snapshot_is_let_through(
    acting: ActingSession, postgres: Postgres, sampled: str
) -> None:
    """Building an index with CONCURRENTLY waits for the transaction of a check, not for a lock of a table."""
    person = Clinic(postgres, f"CREATE INDEX CONCURRENTLY sampled_note ON {sampled} (note)")
    with at_work(person), pytest.raises(GaveWay, match=r"it kept Orthanc \(client backend\) waiting"):
        acting.perform(READS_WHOLE, PLENTY)
    assert person.seconds < 10
    assert postgres.sql(UNFINISHED) == [(0,)]


@pytest.mark.fault(36)
def test_fault_36_a_statement_with_workers_is_seen_through_them(
    acting: ActingSession, postgres: Postgres, sampled: str
) -> None:
    """What a parallel worker of ours holds counts as held by us, and a session waits whose worker does."""
    acting.perform("SET debug_parallel_query = on", PLENTY)
    change = Clinic(postgres, f"ALTER TABLE {sampled} ADD COLUMN more int")
    with at_work(change), pytest.raises(GaveWay, match="it kept Orthanc"):
        acting.perform(CROSSED, PLENTY)
    assert change.seconds < 5


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


def test_progress_is_told(acting: ActingSession, large: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants to know hears the phase and how much of it is done."""
    monkeypatch.setattr(postgres_watch, "TOLD_EVERY", 0.2)
    told: list[Progress] = []
    with pytest.raises(ActionFailed, match="cancelled, by its time limit"):
        acting.perform(f"VACUUM {large}", timedelta(seconds=4), SLOWLY, told.append)
    shares = [one.share for one in told if one.phase == "scanning heap" and one.share is not None]
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert 0 < shares[-1] < 1


@pytest.mark.usefixtures("tidy")
def test_progress_of_a_rebuild_is_told(
    acting: ActingSession, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that it waits, too."""
    monkeypatch.setattr(postgres_watch, "TOLD_EVERY", 0.2)
    told: list[Progress] = []
    with postgres.session(*A_SNAPSHOT), pytest.raises(ActionFailed):
        acting.perform(REBUILD, timedelta(seconds=3), tell=told.append)
    assert str(told[-1]) == "waiting for old snapshots 0 %"


@pytest.mark.fault(30)
@pytest.mark.usefixtures("tidy")
def test_fault_30_a_snapshot_that_comes_later(acting: ActingSession, postgres: Postgres) -> None:
    """At its time limit the rebuild is ended, and what it had built is dropped at once."""
    with postgres.session(*A_SNAPSHOT):
        begun = time.monotonic()
        with pytest.raises(ActionFailed, match="time limit") as failure:
            acting.perform(REBUILD, timedelta(seconds=3))
        assert time.monotonic() - begun < 15
    assert failure.value.what.endswith("what it had built was dropped: public.study_pkey_ccnew")
    assert postgres.sql(UNFINISHED) == [(0,)]


@pytest.mark.fault(30)
@pytest.mark.usefixtures("tidy")
def test_fault_30_a_snapshot_that_holds_the_table_too(acting: ActingSession, postgres: Postgres) -> None:
    """Even dropping would have to wait for it: that is given up in time, and said."""
    with postgres.session("SELECT count(*) FROM study"), pytest.raises(ActionFailed) as failure:
        acting.perform(REBUILD, timedelta(seconds=3))
    assert failure.value.what.endswith("what it had built may lie there, unfinished: the next run finds it")
    assert postgres.sql(UNFINISHED) == [(1,)]


@pytest.mark.fault(31)
@pytest.mark.usefixtures("tidy")
def test_fault_31_what_lay_there_before_is_not_dropped(acting: ActingSession, postgres: Postgres) -> None:
    """An unfinished index of somebody else stays; only our own is dropped."""
    with postgres.session(*A_SNAPSHOT), pytest.raises(psycopg.errors.QueryCanceled):
        postgres.sql("SET statement_timeout = '1s'", REBUILD)
    with postgres.session(*A_SNAPSHOT), pytest.raises(ActionFailed, match=r"was dropped: public\.study_pkey_ccnew1\n"):
        acting.perform(REBUILD, timedelta(seconds=3))
    lying = postgres.sql("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    assert lying == [("study_pkey_ccnew",)]
