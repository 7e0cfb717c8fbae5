"""A run that is killed at its system calls, again and again: an effect has its intent, and each is settled."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.driver import Controller, endings, environment
from tests.practice_fixture import Practice

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace kills the run at a system call"),
    pytest.mark.timeout(300),
]
CLEANUP = ("run", "--task", "disk-cleanup", "--json")
KILLED_AT = (2, 2, 3, 2, 1)  # an intent; right after it was settled; an outcome; the next intent; a run's first record
CALLS = ("write", "fdatasync", "fsync", "sendto", "recvfrom", "openat", "rename")
EACH = 3
CALLED = re.compile(r"(\d+) +(\w+)\(")
A_DAY = 86400
DEADLY = """
import os, signal

write = os.write

def deadly(descriptor, data):
    if b'"kind":"{kind}"' in bytes(data):
        os.kill(os.getpid(), signal.SIGKILL)
    return write(descriptor, data)

os.write = deadly
"""


def _killed(me: Controller, call: str, number: int) -> bool:
    """Run, and kill the process where a thread of it makes a call for the n-th time; tells whether it got there."""
    inject = f"inject={call}:signal=SIGKILL:when={number}"
    argv = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", inject, *me.argv(*CLEANUP)]
    done = subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}


@pytest.mark.fault(1, 2)
def test_fault_2_killed_at_each_write_and_again_while_settling(mended: Practice, alone: Controller) -> None:
    """Each run goes on where the last one was killed: every file is moved once, and each intent has one ending."""
    kept = {path.name for path in _files(mended)}
    mended.break_("full-spool")
    planted = {path.name for path in _files(mended)} - kept
    assert [_killed(alone, "fdatasync", number) for number in KILLED_AT] == [True] * len(KILLED_AT)
    _the_next_run_settles(alone)
    assert "reconciled" in {record["kind"] for record in alone.records()}
    _each_was_moved_once(mended, planted)


@pytest.mark.fault(2)
def test_fault_2_killed_before_it_notes_what_it_settled(mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """It has looked, and that is not on record, twice: the next run looks again, and one ending is noted."""
    kept = {path.name for path in _files(mended)}
    mended.break_("full-spool")
    planted = {path.name for path in _files(mended)} - kept
    _killed_before_noting(alone, "outcome", tmp_path)
    (open_step,) = _open_intents(alone)
    for _ in range(2):
        _killed_before_noting(alone, "reconciled", tmp_path)
    assert _open_intents(alone) == {open_step}
    _the_next_run_settles(alone)
    assert [record["step"] for record in alone.records() if record["kind"] == "reconciled"] == [open_step]
    _each_was_moved_once(mended, planted)


def _killed_before_noting(me: Controller, kind: str, folder: Path) -> None:
    """Run, and let the process kill itself when it is about to write a record of this kind."""
    (folder / "sitecustomize.py").write_text(DEADLY.format(kind=kind), "utf-8")
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    assert me.do(*CLEANUP, env={"PYTHONPATH": path}).code == -signal.SIGKILL


@pytest.mark.fault(1)
def test_fault_1_killed_at_any_system_call(mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """At points spread over a whole run: nothing happens without an intent, and one run later all is settled."""
    planted = _plant(mended, 0)
    assert alone.do(*CLEANUP).code == 0, "the first run of a log is unlike the others"
    planted |= _plant(mended, 1)
    points = _points(alone, tmp_path / "calls")
    killed = 0
    for number, (call, ordinal) in enumerate(points, start=2):
        planted |= _plant(mended, number)
        before, moved = _open_intents(alone), _moved(mended)
        known = {record["step"] for record in alone.records() if record["kind"] == "intent"}
        killed += _killed(alone, call, ordinal)
        intended = {record["step"] for record in alone.records() if record["kind"] == "intent"} - known
        assert not _moved(mended) - moved or before | intended, f"moved without an intent, killed at {call} {ordinal}"
    assert killed >= 12, f"a run is unlike the one that was counted: killed {killed} times of {len(points)}"
    _the_next_run_settles(alone)
    _each_was_moved_once(mended, planted)


def _points(me: Controller, trace: Path) -> list[tuple[str, int]]:
    """Choose system calls of a run from when it holds its lock: name, and the how manieth of its thread it is.

    A thread that makes as many of them earlier would be killed instead of it, so that such calls are left out.
    """
    argv = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={','.join(CALLS)}", *me.argv(*CLEANUP)]
    subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=True)
    counted: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, int], int] = {}
    began = 0
    for line_number, line in enumerate(trace.read_text("utf-8", "replace").splitlines()):
        if called := CALLED.match(line):
            began = began or line_number * ("/run.lock" in line)
            counted[called.group(1, 2)] += 1
            first.setdefault((called[2], counted[called.group(1, 2)]), line_number)
    points = [point for point, line_number in first.items() if began and line_number >= began]
    return sorted((point for call in CALLS for point in _spread(points, call)), key=lambda point: first[point])


def _spread(points: list[tuple[str, int]], call: str) -> Iterator[tuple[str, int]]:
    """Take a few of one call, from its first to its last."""
    of_it = [point for point in points if point[0] == call]
    yield from dict.fromkeys(of_it[index * (len(of_it) - 1) // (EACH - 1)] for index in range(EACH) if of_it)


def _plant(practice: Practice, number: int) -> set[str]:
    """Leave three old files of a broken-off import in the spool."""
    names = {f"import-{number}-{one}.part" for one in range(3)}
    for name in names:
        path = practice.layout.spool / name
        path.write_bytes(b"part of an image")
        os.utime(path, (time.time() - 9 * A_DAY,) * 2)
    return names


def _open_intents(me: Controller) -> set[str]:
    records = me.records()
    ended = {r["step"] for r in records if r["kind"] in {"outcome", "reconciled"} and r["ending"] != "unknown"}
    return {record["step"] for record in records if record["kind"] == "intent"} - ended


def _the_next_run_settles(me: Controller) -> None:
    """It ends well, and leaves nothing to do; each intent has one ending, and the log is one chain."""
    for attempt in itertools.count():
        if (run := me.do(*CLEANUP)).code == 0:
            break
        assert attempt < 20, run.stderr
        time.sleep(1)  # what a killed run began still goes on at the node
    assert endings(me.json(*CLEANUP)) == []
    records = me.records()
    intents = [record["step"] for record in records if record["kind"] == "intent"]
    ended = [r["step"] for r in records if r["kind"] in {"outcome", "reconciled"} and r["ending"] != "unknown"]
    assert sorted(intents) == sorted(step for step in ended if step in set(intents))
    assert me.json("status")["open_intents"] == []
    assert me.do("log", "verify").code == 0


def _each_was_moved_once(practice: Practice, planted: set[str]) -> None:
    moved = [path.name for path in _files(practice) if path.name in planted]
    assert sorted(moved) == sorted(planted)
    assert _moved(practice) >= planted


def _moved(practice: Practice) -> set[str]:
    """Names of what is no longer where it was."""
    there = {path.name for path in practice.layout.spool.iterdir()}
    return {path.name for path in _files(practice)} - there


def _files(practice: Practice) -> list[Path]:
    return [path for path in practice.layout.spool.rglob("*") if path.is_file()]
