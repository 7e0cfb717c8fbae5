"""What is due is read once, in its order, by threads that are given no more than they can soon read."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maintainer.node import store_ledger as ledger
from maintainer.node.deadline import Deadline
from maintainer.node.object_reading import Reader
from maintainer.node.object_threads import Hands
from maintainer.node.store import Store
from maintainer.node.store_due import Due
from maintainer.node.store_learning import learn
from maintainer.node.store_reading import Reading

OBJECTS = 450
SIZE = 1000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path), lambda _name: True)


@pytest.fixture
def opened(store: Store) -> Iterator[sqlite3.Connection]:
    """The ledger of a store of objects that are no DICOM, none of which was read yet."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        ledger.prepare(made, store.path)
        for number in range(OBJECTS):
            (Path(store.path) / str(number)).write_bytes(b"x" * SIZE)
        with ledger.change(made):
            learn(made, 0, OBJECTS, [row(number) for number in range(OBJECTS)])
        yield made


def row(number: int) -> list[Any]:
    return [number + 1, str(number), SIZE, "md5", None, "other", None]


def read(opened: sqlite3.Connection, store: Store, quota: int | None = None, seconds: float = 60.0) -> Reading:
    reading = Reading(opened, store, quota, Deadline(seconds), threads=3)
    reading.run()
    return reading


def due(opened: sqlite3.Connection, *before: int) -> list[int]:
    """Keys of what the next turn reads, in its order."""
    queue = Due(opened, ledger.next_turn(opened), before)
    return [one.key for rows in (queue.urgent(), queue.oldest()) for one in rows]


def test_all_is_read_once(opened: sqlite3.Connection, store: Store) -> None:
    """Of many more than are asked for at a time, and then there is nothing left."""
    for _ in range(2):
        done = read(opened, store)
        assert (done.objects, done.bytes, done.stopped) == (OBJECTS, OBJECTS * SIZE, "nothing-left")


def test_the_fresh_come_first_then_what_deviated_then_the_oldest(opened: sqlite3.Connection, store: Store) -> None:
    """And each of them once, though what deviated is among the oldest as well."""
    read(opened, store)
    opened.execute("UPDATE objects SET looked = looked + 1 WHERE key <= 300")
    opened.execute("INSERT INTO turns SELECT max(number) + 1, 0 FROM turns")
    (Path(store.path) / "9").write_bytes(b"y" * SIZE)
    read(opened, store, quota=(OBJECTS - 300) * SIZE)
    learn(opened, OBJECTS, OBJECTS + 1, [row(OBJECTS)])
    ledger.deviate(opened, next(one for one in Due(opened, 10**6).oldest() if one.key == 10), 0, None, Damaged)
    order = due(opened)
    assert order[:2] == [OBJECTS + 1, 10]
    assert sorted(order) == list(range(1, OBJECTS + 2))
    assert set(order[2:302]) == set(range(1, 301)) - {10} | {301}


class Damaged:
    word, evidence = "bit-rot", {"header": "sound"}


def test_what_a_person_accepted_comes_before_all(opened: sqlite3.Connection) -> None:
    """In the order in which it is named, and not a second time."""
    order = due(opened, 400, 7, 10**9)
    assert order[:3] == [400, 7, 1]
    assert sorted(order) == list(range(1, OBJECTS + 1))


def test_a_quota_is_for_what_was_read_before(opened: sqlite3.Connection, store: Store) -> None:
    """The fresh are read whatever it is; of the others, no more than one object beyond it."""
    assert read(opened, store, quota=0).objects == OBJECTS
    some = read(opened, store, quota=100 * SIZE - 1)
    assert (some.objects, some.stopped) == (100, "quota")
    assert read(opened, store, quota=0).objects == 0


class OnFire(Reader):
    """Of a store whose disk fails."""

    def open(self, path: str) -> Any:
        if path == "100":
            raise RuntimeError("the disk is on fire")
        return super().open(path)


def hands(store: Store, top: int, most: int = 10**9, reader: type[Reader] = Reader) -> Hands:
    return Hands([reader(store, top, Deadline(60)) for _ in range(3)], most)


@pytest.fixture
def top(store: Store) -> Iterator[int]:
    folder = store.open_top()
    yield folder
    os.close(folder)


def test_no_more_is_asked_for_than_may_be_on_its_way(opened: sqlite3.Connection, store: Store, top: int) -> None:
    """Only who asks takes rows, so many bytes ahead of what came back."""
    taken, back, ahead = 0, 0, []

    def rows() -> Iterator[Any]:
        nonlocal taken
        for one in Due(opened, 1000).urgent():
            assert threading.current_thread() is threading.main_thread()
            taken += 1
            ahead.append(taken - back)
            yield one

    for _ in hands(store, top, most=20 * SIZE).read(rows()):
        back += 1
    assert (taken, back) == (OBJECTS, OBJECTS)
    assert max(ahead) <= 21


def test_what_one_thread_cannot_do_ends_all(opened: sqlite3.Connection, store: Store, top: int) -> None:
    """Whoever asked is told why, and no file stays open."""
    files, threads = open_files(), threading.active_count()
    asked = hands(store, top, reader=OnFire)
    with pytest.raises(RuntimeError, match="on fire"):
        list(asked.read(Due(opened, 1000).urgent()))
    assert (open_files(), threading.active_count()) == (files, threads)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_what_there_is_no_time_for_is_left_for_the_next_night(opened: sqlite3.Connection, store: Store) -> None:
    """It stays due, and the reason is told."""
    done = read(opened, store, seconds=0.0)
    assert (done.stopped, done.objects) == ("deadline", 0)
    assert len(due(opened)) == OBJECTS
