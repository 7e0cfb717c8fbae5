"""Programs for the crash tests: they write to a log and are killed while they do.

`appender.py loop STATE`          append for ever, saying each record on stdout once it is acknowledged
`appender.py notes STATE COUNT`   append COUNT notes
`appender.py crashes FOLDER`      die at every system call of a small run, before it and after it, and see what is left
`appender.py full-disk STATE`     fill the disk that STATE is on, and go on writing
"""

import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maintainer.errors import LogError
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind

CALLS = ("open", "write", "fdatasync", "fsync", "ftruncate", "link", "replace", "posix_fallocate", "unlink")


def say(words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def loop(state: Path) -> None:
    with InterventionLog.open(state, origin="site-a") as log:
        for number in itertools.count():
            record = log.append(Kind.NOTE, text=f"note {number}")
            say([record.seq, record.hash])


def notes(state: Path, count: int) -> None:
    with InterventionLog.open(state, origin="site-a") as log:
        for number in range(count):
            log.append(Kind.NOTE, actor=f"process {os.getpid()}", text=f"note {number}")


def small_run(state: Path, acknowledged: int) -> None:
    """Write each acknowledged record's number and hash to a descriptor, past the calls that are watched."""
    with InterventionLog.open(state, origin="site-a") as log:
        for append in (
            lambda: log.append(Kind.RUN_OPENED, run="r2"),
            lambda: log.append(Kind.INTENT, run="r2", node="pacs-a"),
            lambda: log.append(Kind.OUTCOME, run="r2", node="pacs-a", ending="done", text="x" * 3000),
            lambda: log.checkpoint("r2"),
        ):
            record = append()
            REAL_WRITE(acknowledged, f"{record.seq} {record.hash}\n".encode())


REAL_WRITE = os.write


def die_at(call: int, when: str) -> None:
    """Make the `call`-th system call of this process the last one: killed before it, after it, or half through it."""
    count = itertools.count(1)

    def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            last = next(count) == call
            if last and when == "half" and real is REAL_WRITE:
                REAL_WRITE(args[0], bytes(args[1])[: len(args[1]) // 2])
            result = real(*args, **options) if when == "after" or not last else None
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapped

    for name in CALLS:
        setattr(os, name, deadly(getattr(os, name)))


def crash(state: Path, call: int, when: str) -> tuple[bool, list[list[str]]]:
    """Run in a process of its own; tell whether it was killed, and what had been acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        die_at(call, when)
        small_run(state, writing)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        acknowledged = [line.split() for line in said]
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status), acknowledged


def crashes(folder: Path) -> None:
    for start, when in itertools.product(("new", "torn"), ("before", "after", "half")):
        for call in itertools.count(1):
            state = folder / f"{start}-{when}-{call}"
            if start == "torn":
                prepare_torn(folder / "prepared", state)
            killed, acknowledged = crash(state, call, when)
            if not killed:
                break
            say({"case": state.name, **what_is_left(state, acknowledged)})
            shutil.rmtree(state)


def prepare_torn(prepared: Path, state: Path) -> None:
    if not prepared.exists():
        with InterventionLog.open(prepared, origin="site-a") as log:
            log.append(Kind.RUN_OPENED, run="r1")
            log.checkpoint("r1")
        with (prepared / "interventions.jsonl").open("ab") as file:
            file.write(b'{"seq":3,"prev":"')
    shutil.copytree(prepared, state)


def what_is_left(state: Path, acknowledged: list[list[str]]) -> dict[str, Any]:
    with InterventionLog.open(state, origin="site-a") as log:
        log.append(Kind.NOTE, text="after the crash")
        there = {str(record.seq): record.hash for record in log.records()}
        whole = log.verify().size
    lost = [seq for seq, digest in acknowledged if there.get(seq) != digest]
    return {"acknowledged": len(acknowledged), "lost": lost, "whole": whole}


def full_disk(state: Path) -> None:
    said: dict[str, object] = {}
    with InterventionLog.open(state, origin="site-a") as log:
        log.append(Kind.RUN_OPENED, run="r1")
        fill(state.parent / "filler")
        intents = 0
        try:
            while True:
                log.append(Kind.INTENT, run="r1", text="x" * 500)
                intents += 1
        except LogError as error:
            said["intent"] = str(error)
        log.append(Kind.RUN_CLOSED, run="r1", error="log-not-writable", text="x" * 4000)  # more than a page has left
        try:
            log.append(Kind.INTENT, run="r1")
        except LogError as error:
            said["next"] = error.what
        said["whole"] = log.verify().size - intents
    said["open"] = attempt(state)
    (state.parent / "filler").unlink()
    said["open_again"] = attempt(state)
    say(said)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def attempt(state: Path) -> str:
    try:
        with InterventionLog.open(state, origin="site-a") as log:
            log.verify()
    except LogError as error:
        return error.what
    return "fine"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["loop", where]:
            loop(Path(where))
        case ["notes", where, count_]:
            notes(Path(where), int(count_))
        case ["crashes", where]:
            crashes(Path(where))
        case ["full-disk", where]:
            full_disk(Path(where))
