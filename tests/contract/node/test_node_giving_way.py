"""The reading of a store stops while images move over the archive's port, and goes on when they do not.

The connections are real ones on loopback, and so is what the kernel tells about them.
"""

import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed
from maintainer.node import observe_connections, sock_diag
from maintainer.node.deadline import Deadline
from maintainer.node.envelope import Failed
from maintainer.node.giving_way import LOOK_EVERY, OVER, GivingWay
from maintainer.node.object_reading import Reader
from maintainer.node.store import Store
from tests.contract.node.ledger_nights import EVERYTHING, learn, look, put, read, row
from tests.contract.node.own_node import OwnNode
from tests.contract.node.test_node_port_traffic import one_image

MB = 1_000_000


class Association:
    """A connection to a port of ours over which a thread sends, in either direction."""

    def __init__(self, port: int, ends: tuple[socket.socket, socket.socket]) -> None:
        self.port, self._ends = port, ends
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def send(self, rate: int, *, back: bool = False) -> None:
        """Send so many bytes a second from now on; `back`: as the archive answers a C-GET."""
        sender, receiver = reversed(self._ends) if back else self._ends
        part = bytes(rate // 50)

        def send() -> None:
            while not self._stop.wait(0.02):
                sender.sendall(part)
            sender.shutdown(socket.SHUT_WR)

        def receive() -> None:
            while receiver.recv(1 << 20):
                pass

        self._threads = [threading.Thread(target=send), threading.Thread(target=receive)]
        for thread in self._threads:
            thread.start()

    def fall_silent(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def association() -> Iterator[Association]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller, listener.accept()[0] as archive:
            one = Association(port, (caller, archive))
            try:
                yield one
            finally:
                one.fall_silent()


@pytest.fixture
def node(own_node: OwnNode) -> OwnNode:
    for number in range(6):
        put(own_node, number)
    learn(own_node, *map(row, range(6)))
    return own_node


def pausing(port: int, above: int = MB) -> dict[str, Any]:
    return {"pause": {"port": port, "above": above}}


@pytest.mark.parametrize("back", [False, True], ids=["C-STORE", "C-GET"])
def test_nothing_is_read_while_images_move(node: OwnNode, *, back: bool) -> None:
    """It waits however long they do, says for how long and why, and then reads everything; the index is no archive."""
    with association() as images:
        images.send(20 * MB, back=back)
        threading.Timer(4.0, images._stop.set).start()
        answer = read(node, **pausing(images.port), rate=1_000_000)
    assert (answer["stopped"], answer["objects"], answer["files_complete"]) == ("nothing-left", 6, True)
    assert (answer["pauses"] >= 1, answer["paused_because"]) == (True, "images-move")
    assert answer["paused_seconds"] >= 2.0


def test_nothing_is_read_for_a_partner_while_images_move(node: OwnNode) -> None:
    """Whoever asks for a copy waits, like the node's own nights; if the time is over first, nothing is said of any."""
    objects: Any = [row(number)[:6] for number in range(6)]
    with association() as images:
        images.send(20 * MB)
        answer = node.observe("store-verify", 5, objects=objects, **pausing(images.port))
        assert (answer["checked"], answer["deviations"]) == (0, [])
        images.fall_silent()
        assert node.observe("store-verify", objects=objects, **pausing(images.port))["checked"] == 6


def test_what_is_open_and_silent_stops_nothing(node: OwnNode) -> None:
    """An association that stays open all night costs the archive nothing; nor does an image now and then."""
    with association() as quiet:
        quiet.send(100_000)
        answer = read(node, **pausing(quiet.port))
    assert (answer["objects"], "pauses" in answer) == (6, False)


def test_a_night_that_is_over_in_a_pause_goes_on_the_next(node: OwnNode) -> None:
    """It ends with its time like any other; what was read before stays read, and nothing that was not is called so."""
    slow = {"rate": 50_000, "threads": 1}
    with association() as images:
        starting = threading.Timer(2.0, images.send, [20 * MB])
        starting.start()
        began = time.monotonic()
        answer = node.act("store-read", 12, **{**EVERYTHING, **slow, **pausing(images.port)})
        starting.join()
        assert time.monotonic() - began < 60
    assert (answer["stopped"], answer["pauses"]) == ("deadline", 1)
    assert answer["objects"] < 6
    fresh = look(node)["ledger"]["fresh_objects"]
    assert fresh == 6 - answer["objects"]
    assert read(node, bytes=0)["objects"] == fresh


def test_a_tree_is_not_looked_through_while_images_move(own_node: OwnNode) -> None:
    """Not even for what of it is gone: that is found when the archive has nothing to do."""
    put(own_node, 0)
    gone = put(own_node, 1)
    tree = {"adopt": True, "lost_share": 1.0}
    assert read(own_node, **tree)["adopted"] == 2
    gone.unlink()
    with association() as images:
        images.send(20 * MB)
        answer = own_node.act("store-read", 6, **{**EVERYTHING, **tree, **pausing(images.port)})
    assert (answer["stopped"], answer["objects"], answer["pauses"]) == ("deadline", 0, 1)
    assert look(own_node)["ledger"]["unconfirmed"] == 0
    read(own_node, **tree)
    assert look(own_node)["ledger"]["unconfirmed"] == 1


def test_a_wrong_limit_is_refused(node: OwnNode) -> None:
    """A port that is none, or a limit that is no number, is said before anything is read."""
    for wrong in ({"port": 0, "above": 1}, {"port": 1, "above": -1}, {"port": 1.5, "above": 1}, {"port": 104}):
        with pytest.raises(ActionFailed, match="pause"):
            node.act("store-read", **{**EVERYTHING, "pause": wrong})


def test_it_stops_within_a_second_and_goes_on_within_seconds() -> None:
    """So long after the first images and after the last, as whoever reads sees it."""
    with association() as images, GivingWay(images.port, MB) as way:
        deadline = way.before(Deadline(60))
        _ask_for(1.0, deadline)
        assert way.times == 0
        images.send(20 * MB)
        threading.Timer(3.0, images._stop.set).start()
        began, longest = time.monotonic(), 0.0
        while way.seconds == 0 and time.monotonic() - began < 30:
            asked = time.monotonic()
            deadline.passed()
            longest = max(longest, time.monotonic() - asked)
            time.sleep(0.01)
    assert way.times == 1
    assert 1.0 < longest < 30
    assert time.monotonic() - began < 3.0 + 5 * OVER


def _ask_for(seconds: float, deadline: Any) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert not deadline.passed()
        time.sleep(0.01)


def test_where_the_kernel_does_not_tell_any_open_association_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """In doubt it gives way, as long as one is open, and says by what it went."""
    monkeypatch.setattr(sock_diag, "_SOCK_DIAG", 31)
    with association() as images, GivingWay(images.port, MB) as way:
        way.wait(Deadline(3))
        assert (way.times, way.because, way.seconds > 0) == (1, "associations-open", True)
    way._next = 0.0
    way.wait(Deadline(10))
    assert way.times == 1


def test_a_limit_beyond_any_network_is_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who turns it off has it off also where an open association is all that can be told."""
    monkeypatch.setattr(sock_diag, "_SOCK_DIAG", 31)
    with association() as images, GivingWay(images.port, 10**12) as way:
        way.wait(Deadline(3))
    assert (way.times, way.seconds, way.because) == (0, 0.0, "")


def test_associations_too_short_to_be_seen_open_stop_it_too() -> None:
    """A modality that opens one for each image moves as much as one that keeps its own."""
    with socket.create_server(("127.0.0.1", 0)) as archive, GivingWay(archive.getsockname()[1], MB) as way:
        held = Deadline(30)
        _ask_for(1.0, way.before(held))
        for _ in range(8):
            one_image(archive, MB)
        while not (way.times or held.passed()):
            way.wait(held)
            time.sleep(0.01)
    assert (way.times, way.because) == (1, "images-move")


def test_who_has_no_time_left_does_not_wait_for_a_look() -> None:
    """Not even for the first one: its time is over, whatever the archive does."""
    began = time.monotonic()
    for _ in range(8):
        with GivingWay(104, MB) as way:
            assert way.before(Deadline(0)).passed()
    assert time.monotonic() - began < 4 * LOOK_EVERY


def test_when_nobody_can_tell_no_object_is_to_blame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble in asking for connections ends the reading; it is not taken for trouble with the file that is read."""

    def too_many(*_: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(sock_diag, "_SOCK_DIAG", 31)
    monkeypatch.setattr(observe_connections, "open", too_many, raising=False)
    (tmp_path / "object").write_bytes(b"x")
    store = Store(str(tmp_path), lambda _name: True)
    top = store.open_top()
    try:
        with GivingWay(104, MB) as way, pytest.raises(Failed, match="Too many open files"):
            Reader(store, top, way.before(Deadline(10))).read("object", ["sha256"])
    finally:
        os.close(top)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_rate_is_kept(own_node: OwnNode, threads: int) -> None:
    """Never faster than it says; hardly slower where the machine can do it."""
    rate, size = 8 * MB, 2 * MB
    for number in range(16):
        put(own_node, number, bytes(size))
    learn(own_node, *(row(number, size=size, digest=None, kind="other") for number in range(16)), through=16)
    answer = read(own_node, rate=rate, threads=threads, walk=False)
    assert (answer["objects"], answer["bytes"]) == (16, 16 * size)
    assert answer["bytes"] / answer["seconds"] <= 1.05 * rate
    assert answer["bytes"] / answer["seconds"] >= rate / 5
