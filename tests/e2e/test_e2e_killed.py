"""A run that is killed at its writes to the log, again and again: an effect has its intent, and each is settled."""

import os
import shutil
import signal
import subprocess
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


def _killed_at(me: Controller, write: int) -> bool:
    """Run, and kill the process where a thread of it syncs the log for the n-th time; tells whether it got there."""
    inject = f"inject=fdatasync:signal=SIGKILL:when={write}"
    argv = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=fdatasync", "-e", inject, *me.argv(*CLEANUP)]
    done = subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}


@pytest.mark.fault(1, 2)
def test_fault_2_killed_at_each_write_and_again_while_settling(mended: Practice, alone: Controller) -> None:
    """Each run goes on where the last one was killed: every file is moved once, and each intent has one ending."""
    kept = {path.name for path in _files(mended)}
    mended.break_("full-spool")
    planted = {path.name for path in _files(mended)} - kept
    assert [_killed_at(alone, write) for write in KILLED_AT] == [True] * len(KILLED_AT)
    last = alone.do(*CLEANUP)
    assert last.code == 0
    assert endings(alone.json(*CLEANUP)) == []
    records = alone.records()
    intents = [record["step"] for record in records if record["kind"] == "intent"]
    ended = [r["step"] for r in records if r["kind"] in {"outcome", "reconciled"} and r["ending"] != "unknown"]
    assert "reconciled" in {record["kind"] for record in records}
    assert sorted(intents) == sorted(step for step in ended if step in set(intents))
    assert alone.json("status")["open_intents"] == []
    assert alone.do("log", "verify").code == 0
    moved = [path.name for path in _files(mended) if path.name in planted]
    assert sorted(moved) == sorted(planted)
    assert not [path for path in mended.layout.spool.iterdir() if path.name in planted]


def _files(practice: Practice) -> list[Path]:
    return [path for path in practice.layout.spool.rglob("*") if path.is_file()]
