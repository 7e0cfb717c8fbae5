"""Indexes of archives in a real PostgreSQL, the newest from the wheel and those that Debian has."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.contract.archives.index import Index
from tests.contract.links import postgres_server
from tests.contract.links.postgres_server import TOOLS, Postgres

SERVERS = {"of-the-wheel": TOOLS}
SERVERS |= {f"debian-{folder.parent.name}": folder for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"))}


@pytest.fixture(scope="session", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    running = postgres_server.start(SERVERS[request.param])
    yield running
    postgres_server.stop(running)


@pytest.fixture
def make_index(server: Postgres) -> Iterator[Callable[[str], Index]]:
    """Load tables into a database that is empty, and gone again after the test."""
    begun: list[Index] = []

    def load(tables: str) -> Index:
        name = f"index_{os.getpid()}_{len(begun)}"
        server.sql(f"CREATE DATABASE {name}", database="postgres")
        connection = psycopg.connect(
            host=str(server.folder),
            port=server.port,
            user="postgres",
            dbname=name,
            autocommit=True,
            row_factory=dict_row,
        )
        begun.append(Index(connection))
        connection.execute(tables.encode())
        return begun[-1]

    yield load
    for index in begun:
        name = index.connection.info.dbname
        index.connection.close()
        server.sql(f"DROP DATABASE {name}", database="postgres")
