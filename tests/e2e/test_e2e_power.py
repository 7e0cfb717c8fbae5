"""The power of the controller fails around an effect: what was not durable is gone, and the next run settles."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.driver import Controller, endings, environment
from tests.e2e.power import Disk, Powered, disk, missing
from tests.practice_fixture import Practice

LACKING = missing() or ("" if shutil.which("strace") else "strace holds the run at a system call")
pytestmark = pytest.mark.skipif(bool(LACKING) and not os.environ.get("CI"), reason=LACKING or "nothing is missing")
CLEANUP = ("run", "--task", "disk-cleanup", "--json")
A_MINUTE = 60_000_000  # microseconds, as strace counts


@pytest.fixture
def powered(tmp_path: Path) -> Iterator[Disk]:
    """A disk for the controller, and nothing on it yet."""
    assert not LACKING, LACKING
    with disk(tmp_path) as made:
        yield made


@pytest.fixture
def me(powered: Disk, alone: Controller) -> Powered:
    """A controller whose inventory and state are on the disk."""
    return powered.controller(alone)


@contextmanager
def _running(argv: list[str]) -> Iterator[None]:
    """A run, with whatever watches it, that is killed at the end."""
    process = subprocess.Popen(
        argv,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _held_at_sync(me: Powered, number: int) -> list[str]:
    """A run that stands still where it makes its n-th record durable: the record is written, and only in memory."""
    inject = f"inject=fdatasync:delay_enter={A_MINUTE}:when={number}"
    watched = ["-P", str(me.state / me.journal.name), "-e", "trace=fdatasync", "-e", inject]
    return me.watched("strace", "-f", "-qq", "-o", os.devnull, *watched, words=CLEANUP)


def _written(me: Powered, kind: str) -> Callable[[], bool]:
    return lambda: me.journal.exists() and f'"kind":"{kind}"' in me.journal.read_text("utf-8")


def _launched(practice: Practice) -> Callable[[], bool]:
    """Tell whether the node has begun something since now."""
    before = set(practice.folder.rglob("operations/*.launch"))
    return lambda: set(practice.folder.rglob("operations/*.launch")) > before


def _until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < until, "it did not happen within a minute"
        time.sleep(0.02)


def _power_fails(disk: Disk, me: Powered, argv: list[str], moment: Callable[[], bool]) -> None:
    """Run until the moment, cut the power there, and switch it on again once the run is dead."""
    with _running(argv):
        _until(moment)
        disk.cut_power()
    disk.power_off()
    disk.power_on()
    assert me.do("log", "verify").code == 0


def _records_of(me: Powered, kind: str) -> list[str]:
    return [record.get("step", "") for record in me.records() if record["kind"] == kind]


def _files(practice: Practice) -> list[str]:
    return sorted(path.name for path in practice.layout.spool.rglob("*") if path.is_file())


def _all_is_settled(me: Powered) -> None:
    """Each intent has one ending, nothing is open, the log is one chain."""
    ended = [
        record["step"]
        for record in me.records()
        if record["kind"] in {"outcome", "reconciled"} and record["ending"] != "unknown"
    ]
    assert sorted(step for step in ended if step in _records_of(me, "intent")) == sorted(_records_of(me, "intent"))
    assert me.do("status", "--json").document["open_intents"] == []
    assert me.do("log", "verify").code == 0


@pytest.mark.fault(3)
def test_fault_3_power_fails_before_an_intent_is_durable(mended: Practice, me: Powered, powered: Disk) -> None:
    """The intent is gone with the power, and so is its effect: it never was. The next run does the work."""
    mended.break_("full-spool")
    assert me.do("run", "--task", "db-vacuum").code == 0
    before = _files(mended)
    _power_fails(powered, me, _held_at_sync(me, 2), _written(me, "intent"))
    assert (_records_of(me, "intent"), _files(mended)) == ([], before)
    assert {ending for *_, ending in endings(me.do(*CLEANUP).document)} == {"done"}
    _all_is_settled(me)


@pytest.mark.fault(3)
def test_fault_3_power_fails_before_an_outcome_is_durable(mended: Practice, me: Powered, powered: Disk) -> None:
    """Done, and only the intent is on record: the next run learns it from the node, and moves nothing twice."""
    mended.break_("full-spool")
    names = _files(mended)
    _power_fails(powered, me, _held_at_sync(me, 3), _written(me, "outcome"))
    (open_step,) = _records_of(me, "intent")
    assert _records_of(me, "outcome") == []
    assert len(me.do("status", "--json").document["open_intents"]) == 1
    run = me.do(*CLEANUP)
    assert (run.code, [one["ending"] for one in run.document["settled"]]) == (0, ["done"])
    assert _records_of(me, "reconciled") == [open_step]
    _all_is_settled(me)
    moved = [name for name in _files(mended) if name in set(names)]
    assert moved == names


@pytest.mark.fault(3)
def test_fault_3_power_fails_in_mid_step(mended: Practice, me: Powered, powered: Disk) -> None:
    """While a hung archive is being stopped: the node goes on by itself, and the next run builds on how that ended."""
    mended.break_("hung-archive")
    _power_fails(powered, me, me.argv("run", "--task", "service-restart", "--json"), _launched(mended))
    (open_step,) = _records_of(me, "intent")
    assert len(me.do("status", "--json").document["open_intents"]) == 1
    until = time.monotonic() + 90
    while (run := me.do("run", "--task", "service-restart", "--json")).code == 3:
        assert time.monotonic() < until, "the stop takes ten seconds"
        time.sleep(1)
    assert (run.code, set(_records_of(me, "reconciled"))) == (0, {open_step})
    assert {part.state for part in mended.pacs.status()} == {"running"}
    _all_is_settled(me)
