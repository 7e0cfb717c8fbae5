"""A real PostgreSQL for the index, shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from maintainer.model.inventory import LogIndex
from maintainer.practice.layout import ADDRESS, Layout
from maintainer.practice.postgres import Postgres
from tests.practice_fixture import free_ports

PASSWORD = "correct horse"  # noqa: S105 (of a server that lives for one test run, on loopback)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogIndex]:
    """The settings of `[controller.log.index]` for a server of its own."""
    layout, ports = Layout(tmp_path_factory.mktemp("postgresql")), free_ports()
    layout.logs.mkdir()
    layout.logs.chmod(0o777)
    layout.write_marker(ports, complete=True)
    layout.superuser_password.write_text(PASSWORD)
    server = Postgres(layout)
    server.create()
    server.start()
    try:
        yield LogIndex(host=ADDRESS, port=ports.database, name="postgres", user="postgres")
    finally:
        server.stop()
