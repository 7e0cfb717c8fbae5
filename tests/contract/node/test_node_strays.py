"""Looking for files that nobody knows ends with the time that it has."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from maintainer.node import deadline, store, store_known, store_ledger, store_objects, store_strays

LEDGER: Any = store_ledger
DEADLINE: Any = deadline.Deadline
STORE: Any = store.Store
WALK: Any = store_strays.Walk
KNOWN: Any = store_known.Known
INDEXED: Any = store_objects.indexed


def test_what_was_found_before_is_gone_through_while_there_is_time(tmp_path: Path) -> None:
    """A disk on which each look takes long does not hold the night up: what was not looked at stays on the list."""
    there = STORE(str(tmp_path), lambda _name: True)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        LEDGER.prepare(opened, str(tmp_path))
        opened.executemany("INSERT INTO strays VALUES (?, 1, 1)", [("aa/1",), ("aa/2",)])
        for seconds, left in ((0, 2), (60, 0)):
            WALK(opened, there, 0, DEADLINE(seconds)).run()
            assert opened.execute("SELECT count(*) FROM strays").fetchone() == (left,)


def test_what_the_ledger_lists_is_known_and_nothing_else() -> None:
    """Among a hundred thousand objects, each path of the one half, and none of the other."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        LEDGER.prepare(opened, "/srv/store")
        rows = ((key, *INDEXED(f"aa/{2 * key}", 1, "dicom", "md5", None)) for key in range(50_000))
        opened.executemany("INSERT INTO objects VALUES (?, ?, ?, ?, ?, 257, 256, 0, 2)", rows)
        known = KNOWN(opened)
        assert [number for number in range(100_000) if f"aa/{number}" in known] == list(range(0, 100_000, 2))
