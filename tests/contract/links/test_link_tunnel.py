"""A tunnel carries bytes both ways, privately, and leaves nothing behind."""

import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from maintainer.errors import CouldNotLook
from maintainer.links.ssh import NoAnswer, SshLink
from maintainer.links.tunnel import Tunnel
from tests.contract.links.servers import SshServer, Start, free_port, kill_all, open_files, wait_for


@pytest.fixture
def echoed(server: SshServer) -> Iterator[Tunnel]:
    """A tunnel to a service that echoes."""
    with echoing() as port, SshLink.connect("pacs-a", server.node()) as link, Tunnel(link, "127.0.0.1", port) as tunnel:
        yield tunnel


@contextmanager
def echoing() -> Iterator[int]:
    """Send back what comes, and end when the caller ends its half."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def echo(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(data)

    def loop() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True))
                threads[-1].start()

    looping = threading.Thread(target=loop, daemon=True)
    looping.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (looping, *threads):
            thread.join(5)


def call(tunnel: Tunnel) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(f"{tunnel.folder}/.s.PGSQL.5432")
    return connection


def send_and_end(connection: socket.socket, content: bytes) -> None:
    connection.sendall(content)
    connection.shutdown(socket.SHUT_WR)


def read_all(connection: socket.socket) -> bytes:
    content = b""
    while data := connection.recv(65536):
        content += data
    return content


def test_bytes_go_both_ways_and_a_half_closed_end_is_passed_on(echoed: Tunnel) -> None:
    """Ten megabytes come back whole after our half is closed: the end is passed on, not the connection cut."""
    content = bytes(range(256)) * 40_000
    with call(echoed) as connection:
        sender = threading.Thread(target=send_and_end, args=(connection, content))
        sender.start()
        assert read_all(connection) == content
        sender.join()
    assert echoed.refusal is None


def test_several_connections_at_once(echoed: Tunnel) -> None:
    """A second connection works while the first is open: cancelling a statement needs one."""
    with call(echoed) as first, call(echoed) as second:
        for connection, word in ((first, b"one"), (second, b"two")):
            connection.sendall(word)
            assert connection.recv(3) == word


def test_the_door_is_private_and_goes_away(server: SshServer) -> None:
    """Nobody else may enter the folder; closing removes it, and leaves no thread and no descriptor."""
    with echoing() as port, SshLink.connect("pacs-a", server.node()) as link:
        threads, descriptors = threading.active_count(), open_files()
        with Tunnel(link, "127.0.0.1", port) as tunnel:
            folder = Path(tunnel.folder)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            with call(tunnel) as connection:
                connection.sendall(b"here")
                assert connection.recv(4) == b"here"
        assert not folder.exists()
        wait_for(lambda: threading.active_count() <= threads + 1)  # the echo's own thread may still be ending
        wait_for(lambda: open_files() <= descriptors)


def test_nobody_listens(server: SshServer) -> None:
    """The caller's connection ends, and the tunnel can say why."""
    with SshLink.connect("pacs-a", server.node()) as link, Tunnel(link, "127.0.0.1", free_port()) as tunnel:
        with call(tunnel) as connection:
            assert connection.recv(1) == b""
        assert isinstance(tunnel.refusal, NoAnswer)
        assert tunnel.refusal.what == f"nothing listens on 127.0.0.1:{tunnel.port} on the node"


@pytest.mark.parametrize("make", ["openssh"])
def test_a_node_that_forwards_nothing(start: Start) -> None:
    """That a way is forbidden is no answer of the database."""
    server = start(options=("AllowTcpForwarding no",))
    with SshLink.connect("pacs-a", server.node()) as link, Tunnel(link, "127.0.0.1", 5432) as tunnel:
        with call(tunnel) as connection:
            assert connection.recv(1) == b""
        assert isinstance(tunnel.refusal, CouldNotLook)
        assert not isinstance(tunnel.refusal, NoAnswer)
        assert 'permitopen="127.0.0.1:5432"' in tunnel.refusal.hint


def test_connections_end_when_the_link_dies(server: SshServer, echoed: Tunnel) -> None:
    """A caller that waits for an answer is woken at once."""
    with call(echoed) as connection:
        connection.sendall(b"here")
        assert connection.recv(4) == b"here"
        threading.Timer(0.2, kill_all, [server]).start()
        begun = time.monotonic()
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        assert time.monotonic() - begun < 3


def test_closing_does_not_wait_for_a_far_end_that_hangs(server: SshServer) -> None:
    """A service that neither answers nor closes does not hold us: both halves are ended from here."""
    with socket.create_server(("127.0.0.1", 0)) as mute, SshLink.connect("pacs-a", server.node()) as link:
        threads = threading.active_count()
        with Tunnel(link, "127.0.0.1", mute.getsockname()[1]) as tunnel, call(tunnel) as connection:
            connection.sendall(b"is anybody there?")
            far, _ = mute.accept()
            threading.Timer(0.2, tunnel.cut).start()
            assert connection.recv(1) == b""
            begun = time.monotonic()
        assert time.monotonic() - begun < 2
        wait_for(lambda: threading.active_count() <= threads, seconds=2)
        far.close()


def test_the_door_stays_open_after_cutting(echoed: Tunnel) -> None:
    """Cutting ends what is carried, not the tunnel."""
    with call(echoed) as connection:
        connection.sendall(b"carried")
        assert connection.recv(7) == b"carried"
        echoed.cut()
        assert connection.recv(1) == b""
    with call(echoed) as connection:
        connection.sendall(b"again")
        assert connection.recv(5) == b"again"
