"""An agent that is suspended for longer than its step may last, on a practice PACS: FAULTS 8."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from maintainer.practice.service import Service
from tests.e2e.driver import Controller, controller, endings, finished
from tests.practice_fixture import Practice

RESTART = ("run", "--task", "service-restart", "--json")


def _until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 90
    while not happened():
        assert time.monotonic() < until, "it did not happen within 90 s"
        time.sleep(0.05)


def _made(folder: Path, practice: Practice) -> Controller:
    folder.mkdir()
    return controller(folder, {"practice": practice})


@pytest.mark.fault(8)
def test_fault_8_an_agent_that_slept_past_its_deadline(practice: Practice, tmp_path: Path) -> None:
    """The node ends the stop by itself in its time; another controller mends it; the first wakes and does nothing."""
    me, other = _made(tmp_path / "me", practice), _made(tmp_path / "other", practice)
    me.edit('timeout = "30s"', 'timeout = "3s"')
    practice.break_("hung-archive")
    operations = practice.layout.home / ".local" / "state" / "maintainer" / "operations"
    run = me.start(*RESTART)
    _until(lambda: any(operations.glob("*.launch")))
    os.kill(run.pid, signal.SIGSTOP)
    try:
        _until(lambda: any(operations.glob("*.json")))
        (verdict,) = (json.loads(path.read_text()) for path in operations.glob("*.json"))
        assert (verdict["ok"], "did not end within 3 s" in verdict["error"]["what"]) == (False, True)
        known = len(me.records())
        assert other.do("node", "release", "practice", "--why", "its agent hangs").code == 0
        assert {ending for *_, ending in endings(other.do(*RESTART).document)} == {"done"}
        archive = Service(practice.layout, "archive").process()
    finally:
        os.kill(run.pid, signal.SIGCONT)
    woken = finished(run)
    assert woken.code == 1
    assert [ending for *_, ending in endings(woken.document)] == ["failed", "not-run"]
    assert "intent" not in {record["kind"] for record in me.records()[known:]}
    assert Service(practice.layout, "archive").process() == archive
    assert [one.do("log", "verify").code for one in (me, other)] == [0, 0]
