"""How much WAL a step has written is measured: its own where the server knows it, else with what others wrote."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from maintainer.links.postgres_login import Connection
from maintainer.links.postgres_wal import WalMeter
from tests.contract.links import postgres_server
from tests.contract.links.postgres_server import PASSWORD, Postgres

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
NO_15 = pytest.mark.skipif(not DEBIAN_15.exists(), reason="no PostgreSQL 15 here: apt-get install postgresql-15")
FILL = "INSERT INTO study (size) SELECT n FROM generate_series(1, 20000) AS n"
REBUILD = b"REINDEX INDEX CONCURRENTLY study_pkey"
MUCH, LITTLE = 1_000_000, 100_000


@pytest.fixture(scope="module", params=["18", pytest.param("15", marks=NO_15)])
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    server = postgres_server.start(DEBIAN_15) if request.param == "15" else postgres_server.start()
    server.sql(FILL, "ALTER TABLE study OWNER TO maintainer")
    yield server
    postgres_server.stop(server)


@pytest.fixture
def session(server: Postgres) -> Iterator[Connection]:
    where = f"host={server.folder} port={server.port} user=maintainer password={PASSWORD} dbname=pacs"
    with psycopg.connect(where, autocommit=True, row_factory=dict_row) as session:
        yield session


def test_a_rebuild_writes_its_index(server: Postgres, session: Connection) -> None:
    """All of the new index goes through WAL: what was counted is about its size."""
    meter = WalMeter(session)
    session.execute(REBUILD)
    told = meter.told()
    ((size,),) = server.sql("SELECT pg_relation_size('study_pkey')")
    assert isinstance(told["wal_bytes"], int)
    assert size * 0.8 < told["wal_bytes"] < size * 3


def test_what_others_write_is_counted_only_where_nobody_can_tell(server: Postgres, session: Connection) -> None:
    """And it is said which of both it is."""
    meter = WalMeter(session)
    server.sql(FILL)
    told = meter.told()
    knows = session.info.server_version >= 180000
    assert told["wal_of"] == ("statement" if knows else "server")
    assert isinstance(told["wal_bytes"], int)
    assert told["wal_bytes"] < LITTLE if knows else told["wal_bytes"] > MUCH


def test_what_cannot_be_counted_is_left_out(session: Connection) -> None:
    """A connection that is gone after the statement does not make it look as if it had failed."""
    meter = WalMeter(session)
    session.close()
    assert meter.told() == {}
