"""What was acknowledged is there, whenever the process was killed; and a full disk stops a run in good order."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind

APPENDER = Path(__file__).with_name("appender.py")


def appender(*words: str) -> list[str]:
    return [sys.executable, str(APPENDER), *words]


@pytest.mark.fault(1)
@pytest.mark.parametrize("milliseconds", [0, 3, 11, 37])
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, milliseconds: int) -> None:
    """Killed at any moment, the log holds every record it had answered for, and goes on."""
    state = tmp_path / "state"
    process = subprocess.Popen(appender("loop", str(state)), stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(milliseconds / 1000)
    process.kill()
    said = [json.loads(line) for line in [first, *process.stdout] if line.endswith(b"\n")]
    process.wait()
    process.stdout.close()
    with InterventionLog.open(state, origin="site-a") as log:
        log.append(Kind.NOTE, text="after the crash")
        there = {record.seq: record.hash for record in log.records()}
        assert log.verify().size == len(there)
    assert {seq: there.get(seq) for seq, _ in said} == dict(said)


@pytest.mark.fault(1)
def test_every_system_call_may_be_the_last(tmp_path: Path) -> None:
    """Killed before, after or half through each call of a small run, nothing acknowledged is lost."""
    done = subprocess.run(appender("crashes", str(tmp_path)), capture_output=True, text=True, check=False, timeout=110)
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(cases) > 100
    assert [case for case in cases if case["lost"] or case["whole"] <= case["acknowledged"]] == []


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    """A person's notes and a run's records interleave without breaking the chain."""
    state = tmp_path / "state"
    both = [subprocess.Popen(appender("notes", str(state), "150")) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    with InterventionLog.read(state) as log:
        assert log.verify().size == 300
        actors = [record.actor for record in log.records(Filter(kind=Kind.NOTE))]
    assert actors.count(actors[0]) == 150
    assert len(set(actors)) == 2


def on_tiny_disk(mount_point: Path) -> list[str]:
    """Give a program a 3 MB disk in a mount namespace, which is gone when the program ends."""
    if shutil.which("unshare") is None:
        return []
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    script = 'mount -t tmpfs -o size=3m,mode=0700 tmpfs "$0" && exec "$@"'
    start = [*own, "sh", "-c", script, str(mount_point)]
    works = subprocess.run([*start, "true"], capture_output=True, check=False).returncode == 0
    return start if works else []


@pytest.mark.fault(5, 7)
def test_a_full_disk_stops_the_run_and_lets_it_say_so(tmp_path: Path) -> None:
    """No intent without room for its ending; the abort record is carried by the reserve; room makes it work again."""
    start = on_tiny_disk(tmp_path)
    if not start:
        pytest.skip("a disk of its own needs root or user namespaces; the same rules are tested with a simulated one")
    done = subprocess.run(
        [*start, *appender("full-disk", str(tmp_path / "state"))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert "cannot write the intervention log: No space left on device" in said["intent"]
    assert "make room on the filesystem of the state folder" in said["intent"]
    nothing = "no room for the intervention log: nothing was done"
    assert said | {"intent": ""} == {"intent": "", "next": nothing, "whole": 2, "open": nothing, "open_again": "fine"}
