"""Indexes of archives in a real PostgreSQL, the newest from the wheel and those that Debian has."""

import os
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from maintainer.archives import product_of
from maintainer.links.node_program import zipapp_bytes
from tests.contract.archives.dcm4chee import ON_NODE, SINCE_5_35
from tests.contract.archives.index import Index
from tests.contract.links import postgres_server
from tests.contract.links.postgres_server import TOOLS, Postgres
from tests.contract.node.own_node import OwnNode

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


@pytest.fixture
def dcm4chee(make_index: Callable[[str], Index]) -> Index:
    return make_index(SINCE_5_35)


@pytest.fixture(scope="session")
def zipapp() -> bytes:
    return zipapp_bytes([files("tasks.node")])


@pytest.fixture
def node(tmp_path: Path, zipapp: bytes) -> OwnNode:
    """A node with an empty folder for the storages of a dcm4chee."""
    found = OwnNode(tmp_path, {"services": {}, "roots": {}}, zipapp)
    found.policy |= {"store": str(found.store), "not_objects": list(product_of(ON_NODE).not_objects)}
    found.store.mkdir()
    return found
