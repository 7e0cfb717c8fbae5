"""A statement of ours harms nobody: it is watched while it runs, and gives way to whoever waits for it."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.errors import ActionFailed, GaveWay
from maintainer.links import postgres_watch
from maintainer.links.postgres_acting import ActingSession
from maintainer.links.ssh import SshLink
from maintainer.links.tunnel import Tunnel
from maintainer.model.inventory import Database, SecretFile
from maintainer.model.progress import Progress
from tests.contract.links import postgres_server
from tests.contract.links.clinic_session import PLENTY, SLOWLY, UNFINISHED, Clinic, at_work
from tests.contract.links.postgres_server import PASSWORD, Postgres
from tests.contract.links.servers import SshServer

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


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
