"""How long it takes to verify, and to index, a log of a million records; and how much memory.

    python -m bench.log_verify [RECORDS] [FOLDER]

Beside it: hashing the same lines one by one with hashlib, which no verification can undercut.
"""

import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.table import Row, duration, within
from maintainer.intervention_log import chain, verifier
from maintainer.intervention_log.lines import Lines
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record

JOURNAL = "interventions.jsonl"
RECORDS = 1_000_000
SECONDS, MEGABYTES = 10, 100


def write(path: Path, count: int) -> None:
    """Write a valid log without waiting for the disk: an intent, its outcome and two measurements, again and again."""
    about = {"run": "r1", "node": "pacs-a", "task": "db-vacuum", "subject": "public.study"}
    step = {**about, "step": "step-0123456789abcdef"}
    rests = [
        rest(kind=Kind.INTENT, **step, title="VACUUM (ANALYZE) public.study", risk="slower"),
        rest(kind=Kind.OUTCOME, **step, ending="done", measured={"seconds": 1.25}),
        rest(kind=Kind.MEASURED, **about, measured={"dead-fraction": 0.21}),
        rest(kind=Kind.MEASURED, **about, measured={"table-bytes": 8_400_000_000}),
    ]
    prev = chain.NO_HASH
    with path.open("wb") as file:
        for seq in range(1, count + 1):
            line, prev = chain.seal(b'{"seq":%d,"prev":"%b",%b' % (seq, prev.encode(), rests[seq % 4 - 1]))
            file.write(line)


def rest(**fields: Any) -> bytes:
    """Write a record's line without its number and hashes."""
    place = {"seq": 1, "prev": chain.NO_HASH, "time": "2024-03-01T22:00:00.000000Z", "origin": "site-a"}
    return Record.model_validate({**place, **fields}).body().split(b'",', 1)[1]


def only_hash(path: Path) -> None:
    for line in Lines(path):
        hashlib.sha256(line).hexdigest()


def index(state: Path) -> None:
    with InterventionLog.read(state) as log:
        log.refresh_index()


def intents(state: Path) -> None:
    with InterventionLog.read(state) as log:
        log.open_intents()


WHAT: dict[str, Callable[[Path], object]] = {
    "hash the lines": lambda state: only_hash(state / JOURNAL),
    "log verify": lambda state: InterventionLog.read(state).verify(),
    "verifier.py": lambda state: verifier.verify(state / JOURNAL, None),
    "open intents": intents,
    "index from nothing": index,
}


def one(what: str, state: Path) -> None:
    """Run one of them, and print its seconds and its megabytes."""
    begun = time.perf_counter()
    WHAT[what](state)
    took = time.perf_counter() - begun
    print(f"{took:.3f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}")


def alone(what: str, state: str) -> tuple[float, float]:
    """Run one of them in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "bench.log_verify", "--one", what, state]
    seconds, megabytes = map(float, subprocess.run(command, capture_output=True, check=True).stdout.split())
    return seconds, megabytes


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as state:
        write(Path(state) / JOURNAL, RECORDS)
        least, _ = alone("hash the lines", state)
        seconds, megabytes = alone("log verify", state)
    name = f"log verify, {RECORDS:,} records"
    row = within(name, seconds, "s", at_most=SECONDS)
    yield row._replace(peer=f"hashing alone {duration(least)}", ratio=seconds / least)
    yield within(f"{name}: memory", megabytes, "MB", at_most=MEGABYTES)


def main(count: int, folder: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as state:
        write(Path(state) / JOURNAL, count)
        print(f"{count} records, {(Path(state) / JOURNAL).stat().st_size / 1e6:.0f} MB")
        for what in WHAT:
            seconds, megabytes = alone(what, state)
            print(f"{what:20}{seconds:8.2f} s{megabytes:8.0f} MB")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--one", what_, state_]:
            one(what_, Path(state_))
        case [*words]:
            main(int(words[0]) if words else RECORDS, words[1] if len(words) > 1 else None)
