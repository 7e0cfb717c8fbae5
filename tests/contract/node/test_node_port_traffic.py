"""What moves over a port is counted once, however short the connections are that it moves over.

They are real ones on loopback, and so is what the kernel tells of them, open or closed.
"""

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from maintainer.node import sock_diag
from maintainer.node.port_traffic import UNKNOWN, PortTraffic

MB = 1_000_000
HANDSHAKES = 4
"""Bytes by which a connection's count may be off: beginning and end are acknowledged like data."""
AT_ONCE = struct.pack("ii", 1, 0)
"""For SO_LINGER: a reset instead of an end."""


@pytest.fixture(params=["127.0.0.1", "::1", "::"])
def archive(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """A server of IPv4, of IPv6, or of both that is called by IPv4."""
    yield from serving(request.param)


@pytest.fixture
def other() -> Iterator[socket.socket]:
    yield from serving("127.0.0.1")


def serving(address: str) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if family == socket.AF_INET6 and not os.path.exists("/proc/net/if_inet6"):  # noqa: PTH110 (a table of the kernel)
        pytest.skip("no IPv6 here")
    with socket.create_server((address, 0), family=family, dualstack_ipv6=address == "::", backlog=64) as server:
        yield server


@pytest.fixture
def traffic(archive: socket.socket) -> Iterator[PortTraffic]:
    yield from watching(archive)


def watching(server: socket.socket) -> Iterator[PortTraffic]:
    traffic = PortTraffic(server.getsockname()[1])
    try:
        assert traffic.moved() == 0
        yield traffic
    finally:
        traffic.close()


def connected(server: socket.socket) -> tuple[socket.socket, socket.socket]:
    address, port = server.getsockname()[:2]
    caller = socket.create_connection(("127.0.0.1" if address == "::" else address, port))
    return caller, server.accept()[0]


def one_image(server: socket.socket, size: int) -> None:
    """Call, send so much, and be gone."""
    caller, taken = connected(server)
    with caller, taken:
        send(caller, taken, size)


def send(sender: socket.socket, receiver: socket.socket, size: int) -> None:
    sending = threading.Thread(target=sender.sendall, args=(bytes(size),))
    sending.start()
    left = size
    while left:
        left -= len(receiver.recv(left))
    sending.join()


def moved_in_all(traffic: PortTraffic, expected: float) -> float:
    """Look until so much has been told, and a little longer: the kernel tells of an end soon, not at once."""
    moved, until = 0.0, time.monotonic() + 10
    while moved < expected and time.monotonic() < until:
        moved += traffic.moved() or 0
        time.sleep(0.01)
    time.sleep(0.1)
    return moved + (traffic.moved() or 0)


def test_what_came_and_went_between_two_looks_is_counted(archive: socket.socket, traffic: PortTraffic) -> None:
    """Thirty images over a connection each, none of which was open at a look."""
    for _ in range(30):
        one_image(archive, MB)
    assert moved_in_all(traffic, 30 * MB) == pytest.approx(30 * MB, rel=0.05)
    assert traffic.moved() == 0


def test_what_was_seen_open_counts_on_to_its_end(archive: socket.socket, traffic: PortTraffic) -> None:
    """What it moved before a look is not counted again when it is closed, and what it moved after that is not lost."""
    caller, taken = connected(archive)
    with caller, taken:
        send(caller, taken, 3 * MB)
        assert traffic.moved() == pytest.approx(3 * MB, abs=HANDSHAKES)
        send(taken, caller, 2 * MB)
    assert moved_in_all(traffic, 2 * MB) == pytest.approx(2 * MB, abs=HANDSHAKES)
    assert traffic._known == {}


def test_what_was_open_before_the_first_look_counts_from_there(archive: socket.socket) -> None:
    """Of the gigabytes that an association moved since the morning, none are work of tonight."""
    caller, taken = connected(archive)
    with caller, taken:
        send(caller, taken, 3 * MB)
        looks = watching(archive)
        traffic = next(looks)
    assert moved_in_all(traffic, 0) <= HANDSHAKES
    looks.close()


def test_what_was_cut_and_not_let_go_counts_once(archive: socket.socket, traffic: PortTraffic) -> None:
    """The kernel shows it no more, and tells of its end only when the archive closes it, which may be much later."""
    caller, taken = connected(archive)
    with taken:
        send(caller, taken, 3 * MB)
        assert traffic.moved() == pytest.approx(3 * MB, abs=HANDSHAKES)
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        caller.close()
        assert moved_in_all(traffic, 0) <= HANDSHAKES
        assert len(traffic._known or ()) == 1
    assert moved_in_all(traffic, 0) <= HANDSHAKES
    assert traffic._known == {}


def test_what_waits_to_be_read_is_counted_though_its_sender_is_gone(
    archive: socket.socket, traffic: PortTraffic
) -> None:
    """It has come in; that the archive takes its time is no reason to tell of it later."""
    caller, taken = connected(archive)
    with taken:
        with caller:
            caller.sendall(bytes(10_000))
        assert moved_in_all(traffic, 10_000) == pytest.approx(10_000, abs=HANDSHAKES)
    assert moved_in_all(traffic, 0) <= HANDSHAKES


def test_another_port_is_not_counted(other: socket.socket, archive: socket.socket, traffic: PortTraffic) -> None:
    """Neither what moves over it, nor does it fill the place of what is waited for."""
    for _ in range(50):
        one_image(other, 10_000)
    one_image(archive, 10_000)
    assert moved_in_all(traffic, 10_000) == pytest.approx(10_000, abs=HANDSHAKES)


def test_more_than_could_be_kept_is_unknown_for_one_look(other: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """In doubt much has moved; then all is told again. What stayed open is remembered, what ended untold is not."""
    monkeypatch.setattr(sock_diag, "_MOST_WAITING", 1)
    looks, (caller, taken) = watching(other), connected(other)
    with caller, taken:
        traffic, untold = next(looks), connected(other)
        send(caller, taken, MB)
        assert traffic.moved() == pytest.approx(MB, abs=2 * HANDSHAKES)
        for _ in range(50):
            one_image(other, 10)
        for end in untold:
            end.close()
        time.sleep(0.5)
        assert [traffic.moved(), traffic.moved()] == [UNKNOWN, 0]
        assert len(traffic._known or ()) == 1
        send(caller, taken, MB)
        one_image(other, MB)
        assert moved_in_all(traffic, 2 * MB) == pytest.approx(2 * MB, abs=2 * HANDSHAKES)
    looks.close()


@pytest.mark.parametrize(("what", "wrong"), [("_ATTACH_FILTER", 9999), ("_DESTROYED", 0)])
def test_where_no_ends_are_told_what_is_open_counts(
    other: socket.socket, monkeypatch: pytest.MonkeyPatch, what: str, wrong: int
) -> None:
    """The kernel refuses, or tells nothing (before 4.2): long connections count as ever, short ones do not."""
    monkeypatch.setattr(sock_diag, what, wrong)
    looks = watching(other)
    traffic = next(looks)
    caller, taken = connected(other)
    with caller, taken:
        send(caller, taken, MB)
        assert traffic.moved() == pytest.approx(MB, abs=HANDSHAKES)
    one_image(other, MB)
    assert moved_in_all(traffic, 0) <= HANDSHAKES
    assert traffic._closings.listens == (what == "_DESTROYED")
    looks.close()


NOBODY = """
import encodings.idna, os
from maintainer.node.port_traffic import PortTraffic
from tests.contract.node import test_node_port_traffic as tests
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
for server in tests.serving("127.0.0.1"):
    for traffic in tests.watching(server):
        for _ in range(5):
            tests.one_image(server, tests.MB)
        print(tests.moved_in_all(traffic, 5 * tests.MB))
"""


def test_any_user_is_told() -> None:
    """A node's account of its own needs no privilege for it."""
    done = subprocess.run([sys.executable, "-c", NOBODY], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert float(done.stdout) == pytest.approx(5 * MB, rel=0.05)
