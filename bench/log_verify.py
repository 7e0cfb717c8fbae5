"""How long it takes to verify, and to index, a log of a million records; and how much memory.

    python bench/log_verify.py [RECORDS] [FOLDER]

Beside it: hashing the same lines one by one with hashlib, which no verification can undercut. Target for a million
records: `log verify` in less than 10 s and 100 MB.
"""

import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maintainer.intervention_log import chain, verifier
from maintainer.intervention_log.lines import Lines
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record

JOURNAL = "interventions.jsonl"


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


def measure(what: str, state: Path) -> None:
    """Run one of them in a process of its own, so that its memory is its own."""
    begun = time.perf_counter()
    WHAT[what](state)
    took = time.perf_counter() - begun
    print(f"{took:.2f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}")


def main(count: int, folder: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        write(Path(name) / JOURNAL, count)
        size = (Path(name) / JOURNAL).stat().st_size
        print(f"{count} records, {size / 1e6:.0f} MB")
        floor = 0.0
        for what in WHAT:
            command = [sys.executable, os.fspath(__file__), "--one", what, name]
            took, megabytes = map(float, subprocess.run(command, capture_output=True, check=True).stdout.split())
            floor = floor or took
            print(f"{what:20}{took:8.2f} s{megabytes:8.0f} MB{took / floor:8.1f} times hashing")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--one", what_, state_]:
            measure(what_, Path(state_))
        case [*words]:
            main(int(words[0]) if words else 1_000_000, words[1] if len(words) > 1 else None)
