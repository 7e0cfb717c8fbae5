"""Servers and sessions for the link tests. Under CI nothing may be missing; elsewhere a missing sshd is skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from maintainer.links.postgres import ReadingSession
from maintainer.links.postgres_acting import ActingSession
from maintainer.links.ssh import SshLink
from maintainer.links.tunnel import Tunnel
from maintainer.model.inventory import Database, SecretFile
from tests.contract.links import postgres_server, servers
from tests.contract.links.flaky_link import POLICY, FlakyLink, Links
from tests.contract.links.postgres_server import PASSWORD, Postgres
from tests.contract.node.slow_program import Slow, slow, with_slow


@pytest.fixture
def started() -> Iterator[list[servers.SshServer]]:
    """What was started and must be ended."""
    running: list[servers.SshServer] = []
    yield running
    for server in running:
        servers.kill_all(server)
        servers.end(server.process)


@pytest.fixture
def start(make: str, tmp_path: Path, started: list[servers.SshServer]) -> servers.Start:
    """Start a server of one make, as the test wants it."""

    def begin(name: str = "server", **settings: object) -> servers.SshServer:
        server = servers.starter(make)(tmp_path / name, **settings)
        started.append(server)
        return server

    return begin


@pytest.fixture
def server(start: servers.Start) -> servers.SshServer:
    return start()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of the contract runs against both makes, unless it says for which it is."""
    if "make" in metafunc.fixturenames and not any(
        mark.name == "parametrize" and "make" in mark.args[0] for mark in metafunc.definition.iter_markers()
    ):
        metafunc.parametrize("make", servers.makes())


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return with_slow(tmp_path_factory.mktemp("third-party"))


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Slow]:
    with slow(tmp_path / "work") as one:
        yield one


@pytest.fixture
def links(server: servers.SshServer, zipapp: bytes) -> Iterator[Links]:
    """Links to the server's node, closed when the test has ended."""
    made: list[FlakyLink] = []

    def link() -> FlakyLink:
        made.append(FlakyLink("pacs-a", server.node(), run_id="r1", zipapp=zipapp, policy=POLICY))
        return made[-1]

    yield link
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = postgres_server.start()
    yield server
    postgres_server.stop(server)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.SshServer]:
    """One SSH server for the whole file; tests that break it start their own."""
    with servers.gateway_in(tmp_path_factory.mktemp("gateway")) as server:
        yield server


@pytest.fixture
def tunnel(gateway: servers.SshServer, postgres: Postgres) -> Iterator[Tunnel]:
    with SshLink.connect("pacs-a", gateway.node()) as link, Tunnel(link, "127.0.0.1", postgres.port) as tunnel:
        yield tunnel


@pytest.fixture
def described(tmp_path: Path, postgres: Postgres) -> postgres_server.Describe:
    """The database as an inventory would describe it."""

    def describe(*, name: str = "pacs", user: str = "maintainer", password: str | None = PASSWORD) -> Database:
        path = tmp_path / "password"
        path.write_text(password or "")
        path.chmod(0o600)
        secret = SecretFile(file=str(path)) if password else None
        return Database(name=name, user=user, password=secret, port=postgres.port)

    return describe


@pytest.fixture
def reading(tunnel: Tunnel, described: postgres_server.Describe) -> Iterator[ReadingSession]:
    with ReadingSession(tunnel, described(), "01J") as session:
        yield session


@pytest.fixture
def acting(tunnel: Tunnel, described: postgres_server.Describe) -> Iterator[ActingSession]:
    with ActingSession(tunnel, described(), "01J") as session:
        yield session
