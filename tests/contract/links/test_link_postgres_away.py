"""A database that lets nobody in, hangs, or is lost in the middle: each is told as what it is."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost
from maintainer.links.database_probe import probe_database
from maintainer.links.postgres import ReadingSession
from maintainer.links.postgres_acting import ActingSession
from maintainer.links.ssh import NoAnswer, SshLink
from maintainer.links.tunnel import Tunnel
from tests.contract.links.postgres_server import Describe, Postgres
from tests.contract.links.servers import SshServer, children, free_port, gateway_in, kill, kill_all, wait_for

SECOND = timedelta(seconds=1)
PLENTY = timedelta(seconds=30)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"password": "wrong-canary"}, "the password of user maintainer is wrong"),
        ({"name": "nowhere"}, "there is no database nowhere"),
        ({"password": None}, "asks for a password"),
    ],
)
def test_a_database_that_does_not_let_us_in(
    tunnel: Tunnel, described: Describe, change: dict[str, str | None], sentence: str
) -> None:
    """Each reason is a sentence of its own, in whatever language the server writes, and no secret is in it."""
    with pytest.raises(NoAnswer, match=sentence) as refusal:
        ReadingSession(tunnel, described(**change), "01J")
    assert "canary" not in str(refusal.value)
    assert refusal.value.hint


def test_no_connection_left(tunnel: Tunnel, described: Describe, postgres: Postgres) -> None:
    """Too many sessions on the server is said as what it is."""
    postgres.sql("ALTER ROLE maintainer CONNECTION LIMIT 0")
    try:
        with pytest.raises(NoAnswer, match="no free connection"):
            ReadingSession(tunnel, described(), "01J")
    finally:
        postgres.sql("ALTER ROLE maintainer CONNECTION LIMIT -1")


def test_the_server_ends_our_session(acting: ActingSession, postgres: Postgres) -> None:
    """The server said that it stopped the statement: that is a failure, not an unknown ending."""
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'maintainer 01J'"
    threading.Timer(0.5, postgres.sql, [end]).start()
    with pytest.raises(ActionFailed, match="being shut down"):
        acting.perform("SELECT pg_sleep(20)", PLENTY)


@contextmanager
def hanging(postgres: Postgres, after: float = 0) -> Iterator[None]:
    """Stop the server's processes, now or in a moment, and let them go on at the end."""
    stopped: list[int] = []

    def stop() -> None:
        stopped.extend([postgres.postmaster(), *children(postgres.postmaster())])
        for pid in stopped:
            kill(pid, signal.SIGSTOP)

    timer = threading.Timer(after, stop)
    timer.start()
    if not after:
        timer.join()
    try:
        yield
    finally:
        timer.join()
        for pid in stopped:
            kill(pid, signal.SIGCONT)


def test_a_session_that_the_server_ended_is_not_alive(reading: ReadingSession, postgres: Postgres) -> None:
    """Who finds it dead opens another one, instead of failing at the next query."""
    assert reading.alive()
    postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'maintainer 01J'")
    wait_for(lambda: not reading.alive(), seconds=3)


def test_a_server_that_does_not_keep_its_own_limit(
    acting: ActingSession, reading: ReadingSession, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the server hangs in mid-statement, the line is cut some seconds later; other sessions keep theirs."""
    monkeypatch.setattr("maintainer.links.postgres_session._GRACE", SECOND)
    with hanging(postgres, after=0.3):
        begun = time.monotonic()
        with pytest.raises(LinkLost, match="connection to the database was lost"):
            acting.perform("SELECT pg_sleep(1)", SECOND)
        assert time.monotonic() - begun < 5
    assert reading.rows("SELECT 1 AS one", {}, PLENTY) == [{"one": 1}]


@pytest.mark.fault(12, 32)
def test_a_link_lost_in_mid_statement_is_an_unknown_ending(
    postgres: Postgres, described: Describe, tmp_path: Path
) -> None:
    """Nobody knows how it ended; on the server it stops by itself within seconds."""
    with (
        gateway_in(tmp_path) as server,
        SshLink.connect("pacs-a", server.node()) as link,
        Tunnel(link, "127.0.0.1", postgres.port) as tunnel,
        ActingSession(tunnel, described(), "02K") as session,
    ):
        threading.Timer(0.5, kill_all, [server]).start()
        with pytest.raises(LinkLost, match="connection to the database was lost"):
            session.perform("SELECT pg_sleep(20)", PLENTY)
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'maintainer 02K'"
    wait_for(lambda: postgres.sql(left) == [(0,)], seconds=5)


def test_a_probe_is_answered(tunnel: Tunnel, described: Describe) -> None:
    """A database that serves answers within its time."""
    why, seconds, session = probe_database(tunnel, described(), "probe", PLENTY)
    assert why == ""
    assert 0 < seconds < 5
    assert session is not None
    with session:
        assert session.rows("SELECT 2 AS two", {}, PLENTY) == [{"two": 2}]


def test_a_probe_of_a_database_that_is_down(gateway: SshServer, described: Describe) -> None:
    """Silence is an answer of a probe, with its reason."""
    with SshLink.connect("pacs-a", gateway.node()) as link, Tunnel(link, "127.0.0.1", free_port()) as tunnel:
        why, _, session = probe_database(tunnel, described(), "probe", PLENTY)
    assert session is None
    assert why == f"nothing listens on 127.0.0.1:{tunnel.port} on the node"


def test_a_probe_without_a_way_is_no_answer(tunnel: Tunnel, described: Describe) -> None:
    """When the SSH connection is gone, nothing can be said about the database."""
    tunnel.link.close()
    with pytest.raises(CouldNotLook):
        probe_database(tunnel, described(), "probe", PLENTY)


def test_a_database_that_hangs(tunnel: Tunnel, described: Describe, postgres: Postgres) -> None:
    """A stopped server accepts connections and says nothing: the probe ends in time and says so."""
    with hanging(postgres):
        begun = time.monotonic()
        why, _, session = probe_database(tunnel, described(), "probe", timedelta(seconds=2))
        assert time.monotonic() - begun < 4
    assert session is None
    assert "did not answer within 2 s" in why
