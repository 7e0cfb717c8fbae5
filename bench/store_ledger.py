"""What a ledger of a large store costs: its size, choosing a night's quota, its root, and memory.

    python -m bench.store_ledger [OBJECTS]

The ledger is made synthetically, with paths as Orthanc writes them, every object read and verified against an MD5.
"""

import hashlib
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.table import Row, within
from maintainer.node import store_ledger as ledger
from maintainer.node.observe_store_ledger import FRESH, WHOLE
from maintainer.node.store_counting import ages
from maintainer.planning.coverage import Age, Opening, Store, coverage

OBJECTS = 1_000_000
BYTES_AN_OBJECT, SECONDS_TO_CHOOSE, MEGABYTES = 120, 5.0, 100.0
_INSERT = "INSERT INTO objects VALUES (?, ?, ?, ?, 'dicom', 'md5', ?, 0, ?, ?, ?, ?, 1)"


def synthetic(count: int) -> Iterator[tuple[Any, ...]]:
    now = int(time.time())
    for number in range(count):
        sha = hashlib.sha256(number.to_bytes(8, "big")).digest()
        name = sha.hex()
        uuid = f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:32]}"
        path = f"{uuid[:2]}/{uuid[2:4]}/{uuid}"
        at = now - number % (30 * 86400)
        yield number * 65536 + 1, path, ledger.place(path), 526_000, sha[:16], at, at, at * 10**9, sha


def make(path: Path, count: int) -> None:
    opened = sqlite3.connect(path, isolation_level=None)
    ledger.prepare(opened, "/srv/store")
    opened.execute("BEGIN")
    opened.executemany(_INSERT, synthetic(count))
    opened.execute("COMMIT")
    opened.close()


def choose(path: Path) -> int:
    """Choose a quota as a plan does, from what the node adds up."""
    with ledger.to_read(str(path)) as opened:
        opened.execute(WHOLE).fetchone()
        fresh = opened.execute(FRESH).fetchone()[1]
        read = [Age(day, size) for day, _, size in ages(opened)]
    now = datetime.now(UTC)
    nights = [now + timedelta(days=number) for number in range(30)]
    openings = [Opening(opens=at, closes=at + timedelta(hours=4)) for at in nights]
    return coverage(Store(fresh, read, None), timedelta(days=30), timedelta(hours=3), openings, now).tonight


def rows(count: int = OBJECTS) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ledger.FILE
        make(path, count)
        size = path.stat().st_size / count
        began = time.perf_counter()
        quota = choose(path)
        chosen = time.perf_counter()
        with ledger.to_read(str(path)) as opened:
            ledger.root(opened)
        rooted = time.perf_counter()
        print(f"{count:,} objects; a quota of {quota / 1e9:.0f} GB; the root took {rooted - chosen:.2f} s")
        each = 1e6 / count
        yield within("ledger: size of an object", size, "B", at_most=BYTES_AN_OBJECT)
        yield within("ledger: quota, 10 million objects", (chosen - began) * 10 * each, "s", at_most=SECONDS_TO_CHOOSE)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        yield within(f"ledger: memory, {count:,} objects", peak, "MB", at_most=MEGABYTES)


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if sys.argv[1:] else OBJECTS):
        print(row)
