"""What a ledger of a large store costs: its size, choosing a night's quota, its root, and memory.

    python -m bench.store_ledger [OBJECTS]

The ledger is made synthetically, with paths as Orthanc writes them, every object read and verified against an MD5; its
size also with those of dcm4chee-arc.
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from bench.table import Row, within
from maintainer.node import store_ledger as ledger
from maintainer.node import store_rows
from maintainer.planning.coverage import Age, Opening, Store, coverage

PathBy = Callable[[Random, int], str]

OBJECTS = 10_000_000
NIGHTS = 30
BYTES_AN_OBJECT, SECONDS_TO_CHOOSE, MEGABYTES = 120, 5.0, 100.0
_UNREAD = (store_rows.NEVER, store_rows.UNKNOWN, store_rows.UNREAD)
_INSERT = "INSERT INTO objects VALUES (?, ?, 526000, 0, ?, ?, ?, ?, ?)"
_READ = "UPDATE objects SET looked = ?, mtime_ns = key, proof = proof, verdict = ? WHERE key > ? AND key <= ?"


def by_orthanc(random: Random, _number: int) -> str:
    text = random.randbytes(16).hex()
    return f"{text[:2]}/{text[2:4]}/{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def by_dcm4chee(random: Random, number: int) -> str:
    """Date, study, series and instance, the last three as hashes; 2,000 objects a day are those of a small hospital."""
    day = datetime(2016, 1, 1, tzinfo=UTC) + timedelta(days=number // 2000)
    study, series, instance = (random.randbytes(4).hex().upper() for _ in range(3))
    return f"fs1/{day:%Y/%m/%d}/{study}/{series}/{instance}"


def synthetic(count: int, path_by: PathBy) -> Iterator[tuple[Any, ...]]:
    random, first = Random(7), store_rows.NEVER + 1  # noqa: S311 (names and digests that nobody has to guess)
    for number in range(count):
        name = store_rows.name_of(path_by(random, number))
        yield number * 65536 + 1, name, random.randbytes(36), first, *_UNREAD


def make(path: Path, count: int, path_by: PathBy = by_orthanc) -> None:
    """Learn as many objects as a store has, and read a part of them each night."""
    opened = sqlite3.connect(path, isolation_level=None)
    ledger.prepare(opened, "/srv/store")
    opened.execute("BEGIN")
    opened.executemany(_INSERT, synthetic(count, path_by))
    opened.execute("COMMIT")
    a_night = count * 65536 // NIGHTS + 65536
    for night in range(NIGHTS):
        opened.execute("BEGIN")
        turn = ledger.begin_turn(opened)
        opened.execute(_READ, (turn, store_rows.ARCHIVE, night * a_night, (night + 1) * a_night))
        opened.execute("COMMIT")
    opened.execute("UPDATE turns SET began = began - (? - number) * 86400", (turn,))
    opened.close()


ON_THE_NODE = """
import json, sys, time
from maintainer.node import store_counting, store_known, store_ledger

def timed(what):
    began = time.perf_counter()
    return what(opened), time.perf_counter() - began

with store_ledger.to_read(sys.argv[1]) as opened:
    told = [timed(what) for what in (store_counting.fresh, store_counting.ages, store_ledger.root, store_known.Known)]
seconds = [seconds for _, seconds in told]
(peak,) = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(json.dumps([told[0][0], told[1][0], seconds, peak / 1000]))
"""


def choose(fresh: list[int], ages: list[list[int]]) -> int:
    """Choose a quota as a plan does, from what the node adds up."""
    read = [Age(day, size) for day, _, size in ages]
    now = datetime.now(UTC)
    nights = [now + timedelta(days=number) for number in range(NIGHTS)]
    openings = [Opening(opens=at, closes=at + timedelta(hours=4)) for at in nights]
    return coverage(Store(fresh[1], read, None), timedelta(days=NIGHTS), timedelta(hours=3), openings, now).tonight


def rows(count: int = OBJECTS) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ledger.FILE
        made = time.perf_counter()
        make(path, count)
        size, made = path.stat().st_size / count, time.perf_counter() - made
        other = Path(folder) / "dcm4chee.sqlite"
        fewer = max(1, count // 10)
        make(other, fewer, by_dcm4chee)
        size_of_other = other.stat().st_size / fewer
        told = subprocess.run([sys.executable, "-c", ON_THE_NODE, str(path)], check=True, stdout=subprocess.PIPE)
    fresh, ages, (for_fresh, for_ages, for_root, to_know), peak = json.loads(told.stdout)
    began = time.perf_counter()
    quota = choose(fresh, ages)
    seconds = for_fresh + for_ages + time.perf_counter() - began
    print(
        f"{count:,} objects, made in {made:.0f} s; a quota of {quota / 1e9:.0f} GB; the root took {for_root:.1f} s,"
        f" knowing all paths {to_know:.1f} s"
    )
    yield within("ledger: size of an object, Orthanc", size, "B", at_most=BYTES_AN_OBJECT)
    yield within("ledger: size of an object, dcm4chee", size_of_other, "B", at_most=BYTES_AN_OBJECT)
    yield within(f"ledger: quota, {count:,} objects", seconds, "s", at_most=SECONDS_TO_CHOOSE)
    yield within(f"ledger: memory of the node, {count:,} objects", peak, "MB", at_most=MEGABYTES)


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if sys.argv[1:] else OBJECTS):
        print(row)
