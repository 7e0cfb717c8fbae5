"""Counting over a large ledger: what looks at it writes no file, not even one to sort in."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from maintainer.node import observe_store_ledger, store_counting, store_learning, store_rows
from maintainer.node import store_ledger as ledger

OBJECTS = 400_000
ROW = "INSERT INTO objects VALUES (?, ?, 1000, 0, zeroblob(36), 257, ?, 1, ?)"
READ = (
    "UPDATE objects SET looked = ?, mtime_ns = 1 << 60, verdict = ?, proof = randomblob(36) WHERE key / 65536 % 2 = ?"
)
NODE: Any = store_counting
ROWS: Any = store_rows
LEARN: Any = store_learning.learn
LEDGER: Any = ledger
OBSERVE: Any = observe_store_ledger


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A ledger that is too large to be sorted in SQLite's own memory."""
    file = str(tmp_path_factory.mktemp("ledger") / "ledger.sqlite")
    with closing(sqlite3.connect(file, isolation_level=None)) as opened:
        LEDGER.prepare(opened, "/srv/store")
        opened.execute("BEGIN")
        opened.executemany(ROW, ((key, f"a/{key}", 256 + key % 3, 2 + key % 4) for key in range(1, OBJECTS + 1)))
        opened.executemany("INSERT INTO turns VALUES (?, ?)", [(257, 86400), (258, 2 * 86400)])
        opened.execute("COMMIT")
    return file


@contextmanager
def opened_meanwhile() -> Iterator[set[str]]:
    """Gather the files that this process holds while something goes on."""
    over, found = threading.Event(), set[str]()

    def watch() -> None:
        while not over.is_set():
            for held in Path("/proc/self/fd").iterdir():
                with suppress(OSError):
                    found.add(str(held.readlink()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


def test_whoever_looks_at_a_large_ledger_writes_nothing(path: str) -> None:
    """SQLite would sort in a file that has no name any more; none is held at any moment."""
    with opened_meanwhile() as held, LEDGER.to_read(path) as opened:
        OBSERVE._answer(opened)
        NODE.sums(opened, 1000, OBJECTS)
    assert path in held
    assert [file for file in held if "etilqs" in file] == []


def test_a_row_takes_no_more_bytes_after_it_was_read(tmp_path: Path) -> None:
    """With paths as Orthanc writes them, an object takes less than 120 bytes, whatever order they are read in."""
    file = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as opened:
        LEDGER.prepare(opened, "/srv/store")
        uuids = [f"{number:08x}-0000-4000-8000-{number:012x}" for number in range(10_000)]
        told = [
            [65536 * n, f"{u[:2]}/{u[2:4]}/{u}", 526_000, "md5", "ab" * 16, "dicom", "cd" * 8]
            for n, u in enumerate(uuids, 1)
        ]
        with LEDGER.change(opened):
            LEARN(opened, 0, 65536 * len(told), told)
        before = file.stat().st_size
        for part in (1, 0):
            with LEDGER.change(opened):
                turn = LEDGER.begin_turn(opened)
                opened.execute(READ, (turn, ROWS.ARCHIVE, part))
    assert before <= file.stat().st_size < 120 * len(told)


def test_what_is_counted(path: str) -> None:
    """By day of the last reading, without what was never read; by how it is known; and by ranges of keys."""
    with LEDGER.to_read(path) as opened:
        third = OBJECTS // 3
        assert NODE.ages(opened) == [[1, third + 1, 1000 * (third + 1)], [2, third, 1000 * third]]
        assert NODE.verified(opened) == dict.fromkeys(("archive", "baseline", "baselined"), OBJECTS // 4)
        assert NODE.sums(opened, 60_000, OBJECTS)[1] == [1, 60_000, str(sum(range(60_000, 120_000))), 60_000_000]
        assert opened.execute("PRAGMA temp_store").fetchone() == (2,)
