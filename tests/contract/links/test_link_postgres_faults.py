"""A database server that changes its part, drops its database or dies while a statement of ours runs."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost, MaintainerError
from maintainer.links.postgres import ReadingSession
from maintainer.links.postgres_acting import ActingSession
from maintainer.links.ssh import NoAnswer, SshLink
from maintainer.links.tunnel import Tunnel
from maintainer.model.inventory import Database, SecretFile
from tests.contract.links import postgres_server
from tests.contract.links.postgres_server import PASSWORD, Postgres
from tests.contract.links.servers import SshServer, wait_for

PLENTY = timedelta(seconds=60)
SLEEP = "SELECT pg_sleep(40)"
ASLEEP = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(40%' AND state = 'active'"


@pytest.fixture
def own() -> Iterator[Postgres]:
    """A server of the test's own, which may not outlive it."""
    server = postgres_server.start()
    yield server
    postgres_server.stop(server)


@contextmanager
def way_to(server: Postgres, gateway: SshServer, folder: Path) -> Iterator[tuple[Tunnel, Database]]:
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    database = Database(name="pacs", user="maintainer", password=SecretFile(file=str(password)), port=server.port)
    with SshLink.connect("pacs-a", gateway.node()) as link, Tunnel(link, "127.0.0.1", server.port) as tunnel:
        yield tunnel, database


def begin(server: Postgres, tunnel: Tunnel, database: Database) -> "Begun":
    """Let a statement of ours run, in a thread."""
    begun = Begun(ActingSession(tunnel, database, "01J"))
    begun.start()
    wait_for(lambda: server.sql(ASLEEP, database="postgres") == [(1,)])
    return begun


class Begun(threading.Thread):
    def __init__(self, session: ActingSession) -> None:
        super().__init__(daemon=True)
        self._session = session
        self.error: MaintainerError | None = None

    def run(self) -> None:
        with self._session:
            try:
                self._session.perform(SLEEP, PLENTY)
            except MaintainerError as error:
                self.error = error


def ending(begun: Begun) -> MaintainerError:
    begun.join(25)
    assert begun.error is not None, "it still runs, or ended well"
    return begun.error


def test_the_database_is_dropped_in_mid_run(own: Postgres, gateway: SshServer, tmp_path: Path) -> None:
    """The statement has failed, and whoever looks next is told that there is no such database."""
    with way_to(own, gateway, tmp_path) as (tunnel, database):
        begun = begin(own, tunnel, database)
        own.sql("DROP DATABASE pacs WITH (FORCE)", database="postgres")
        error = ending(begun)
        assert isinstance(error, ActionFailed)
        assert error.what == "the session was ended by an administrator, or because the server is being shut down"
        with pytest.raises(NoAnswer, match="there is no database pacs"):
            ReadingSession(tunnel, database, "01J")


def test_the_server_crashes_in_mid_run(own: Postgres, gateway: SshServer, tmp_path: Path) -> None:
    """Another backend dies, so that the server ends all sessions and recovers: no word on ours, and the next works."""
    with way_to(own, gateway, tmp_path) as (tunnel, database):
        begun = begin(own, tunnel, database)
        with own.session() as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            error = ending(begun)
            victim.close()
        assert isinstance(error, LinkLost)
        wait_for(lambda: _works(tunnel, database), seconds=30)


def test_the_whole_server_dies_in_mid_run(own: Postgres, gateway: SshServer, tmp_path: Path) -> None:
    """No word comes from it: nobody knows how the statement ended, and then it cannot be asked."""
    with way_to(own, gateway, tmp_path) as (tunnel, database):
        begun = begin(own, tunnel, database)
        begun_at = time.monotonic()
        os.kill(own.postmaster(), signal.SIGQUIT)
        error = ending(begun)
        assert time.monotonic() - begun_at < 20
        assert isinstance(error, LinkLost)
        with pytest.raises(CouldNotLook):
            ReadingSession(tunnel, database, "01J")


def _works(tunnel: Tunnel, database: Database) -> bool:
    try:
        with ActingSession(tunnel, database, "02K") as session:
            session.perform("VACUUM study", PLENTY)
    except MaintainerError:
        return False
    return True


@pytest.fixture
def standby(own: Postgres) -> Iterator[Postgres]:
    """A copy of the server that follows it."""
    with (own.folder / "data" / "pg_hba.conf").open("a") as rules:
        rules.write("local replication all trust\n")
    own.sql("SELECT pg_reload_conf()")
    with ExitStack() as ended:
        copy = postgres_server.follow(own)
        ended.callback(postgres_server.stop, copy)
        yield copy


def test_a_standby_is_looked_at_and_not_worked_on(standby: Postgres, gateway: SshServer, tmp_path: Path) -> None:
    """Who comes there by mistake, as after a failover, is told why nothing can be done; looking works."""
    with way_to(standby, gateway, tmp_path) as (tunnel, database):
        with ReadingSession(tunnel, database, "01J") as reading:
            assert reading.rows("SELECT pg_is_in_recovery() AS standby", {}, PLENTY) == [{"standby": True}]
        with ActingSession(tunnel, database, "01J") as acting:
            for statement in ("VACUUM study", 'REINDEX INDEX CONCURRENTLY "study_pkey"', "ANALYZE study"):
                with pytest.raises(ActionFailed, match="takes no writes: it is a standby"):
                    acting.perform(statement, PLENTY)


def test_a_failover_in_mid_run(own: Postgres, standby: Postgres, gateway: SshServer, tmp_path: Path) -> None:
    """The primary dies under a statement; its standby is promoted and takes the next one."""
    with way_to(own, gateway, tmp_path) as (tunnel, database):
        begun = begin(own, tunnel, database)
        os.kill(own.postmaster(), signal.SIGQUIT)
        assert isinstance(ending(begun), LinkLost)
    standby.sql("SELECT pg_promote()", database="postgres")
    with way_to(standby, gateway, tmp_path) as (tunnel, database):
        wait_for(lambda: _works(tunnel, database), seconds=30)
        with pytest.raises(psycopg.OperationalError):
            own.sql("SELECT 1")
