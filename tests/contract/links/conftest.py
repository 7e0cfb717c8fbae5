"""Servers for the link tests. Under CI nothing may be missing; elsewhere a missing sshd is said and skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.links import servers


def _makes() -> list[object]:
    missing = pytest.mark.skipif(
        not servers.SSHD.exists() and not os.environ.get("CI"),
        reason="no /usr/sbin/sshd here: apt-get install openssh-server",
    )
    return [pytest.param("openssh", marks=missing), "asyncssh"]


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
        metafunc.parametrize("make", _makes())
