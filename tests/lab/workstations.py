"""Workstations of the lab: they ask every archive ten times a second for a C-ECHO and note when it is not answered.

`python -m tests.lab.workstations ADDRESS…` prints a line for each look until its stdin ends: address, time, and 1 when
it served.
The messages are written out here, because a DICOM library would cost more than the nodes have to spare.

Source: DICOM PS3.8, 9.3 (association, data and release PDUs); PS3.7, 9.3.5 (C-ECHO).
"""

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.lab import Lab

EVERY, ANSWERS_WITHIN = 0.1, 3.0  # seconds
PORT, CALLED = 4242, b"ORTHANC"

Span = tuple[float, float]
Outages = dict[str, list[Span]]


class Watch:
    """What the workstations have seen so far."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._looks: list[tuple[str, float, bool]] = []

    def note(self, lines: Iterable[str]) -> None:
        for address, at, serves in map(str.split, lines):
            self._looks.append((self._names[address], float(at), serves == "1"))

    def outages(self) -> Outages:
        """Give the outages of every node; one that goes on ends with the last look."""
        looks = list(self._looks)
        return {name: _outages([look[1:] for look in looks if look[0] == name]) for name in self._names.values()}

    def both_out(self) -> list[Span]:
        """List the times at which no archive served."""
        one, other = self.outages().values()
        return overlap(one, other)


@contextlib.contextmanager
def watched(lab: "Lab") -> Iterator[Watch]:
    """Watch every archive while the block lasts."""
    names = {node.address: name for name, node in lab.nodes.items()}
    watch = Watch(names)
    argv = lab.room.on_its_network([sys.executable, "-m", "tests.lab.workstations", *names])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdin is not None
        assert watcher.stdout is not None
        watch.note([watcher.stdout.readline()])
        reader = threading.Thread(target=watch.note, args=(watcher.stdout,))
        reader.start()
        try:
            yield watch
        finally:
            watcher.stdin.close()
            reader.join(30)


def overlap(one: list[Span], other: list[Span]) -> list[Span]:
    """List the times at which both were out."""
    both = [(max(a, c), min(b, d)) for a, b in one for c, d in other]
    return [(start, end) for start, end in both if start <= end]


@contextlib.contextmanager
def association(address: str) -> Iterator[socket.socket]:
    """Keep an association with an archive open while the block lasts."""
    with socket.create_connection((address, PORT), ANSWERS_WITHIN) as connection:
        connection.settimeout(ANSWERS_WITHIN)
        connection.sendall(_ASSOCIATE)
        if _pdu(connection)[:1] != b"\2":
            raise ConnectionError("the association was not accepted")
        yield connection
        connection.sendall(_RELEASE)
        _pdu(connection)


def serves(address: str) -> bool:
    """Tell whether an archive answers a C-ECHO with success."""
    try:
        with association(address) as connection:
            connection.sendall(_ECHO)
            return _pdu(connection).find(_SUCCESS) > 0
    except OSError:
        return False


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def _message(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBL", kind, 0, len(content)) + content


_CONTEXT = b"\1\0\0\0" + _item(0x30, b"1.2.840.10008.1.1") + _item(0x40, b"1.2.840.10008.1.2")
_USER = _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.826.0.1.3680043.8.498.3")
_ASSOCIATE = _message(
    1,
    b"\0\1\0\0" + CALLED.ljust(16) + b"WORKSTATION".ljust(16) + bytes(32)
    + _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x20, _CONTEXT) + _item(0x50, _USER),
)  # fmt: skip
_COMMAND = (
    struct.pack("<HHL", 0, 0x0002, 18) + b"1.2.840.10008.1.1\0"
    + struct.pack("<HHLH", 0, 0x0100, 2, 0x0030)
    + struct.pack("<HHLH", 0, 0x0110, 2, 1)
    + struct.pack("<HHLH", 0, 0x0800, 2, 0x0101)
)  # fmt: skip
_GROUP = struct.pack("<HHLL", 0, 0, 4, len(_COMMAND)) + _COMMAND
_ECHO = _message(4, struct.pack(">LBB", len(_GROUP) + 2, 1, 3) + _GROUP)
_SUCCESS = struct.pack("<HHLH", 0, 0x0900, 2, 0)
_RELEASE = _message(5, bytes(4))


def _pdu(connection: socket.socket) -> bytes:
    head = _exactly(connection, 6)
    return head + _exactly(connection, int.from_bytes(head[2:], "big"))


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = connection.recv(count - len(found))
        if not more:
            raise ConnectionError("the archive broke off")
        found += more
    return found


def _outages(looks: list[tuple[float, bool]]) -> list[Span]:
    """From which failed look to which failed look nothing came: each outage was at least so long."""
    runs = [list(run) for fine, run in groupby(looks, key=lambda look: look[1]) if not fine]
    return [(run[0][0], run[-1][0]) for run in runs]


def _watch(address: str, stop: threading.Event) -> None:
    while not stop.wait(EVERY):
        began = time.monotonic()
        sys.stdout.write(f"{address} {began} {int(serves(address))}\n")
        sys.stdout.flush()


def main(addresses: list[str]) -> None:
    stop = threading.Event()
    threads = [threading.Thread(target=_watch, args=(address, stop)) for address in addresses]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1:])
