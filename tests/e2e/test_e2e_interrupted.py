"""A run that is asked to stop, cut off or killed in the middle of a step, and one that meets another run."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.driver import Answer, Controller, endings, finished
from tests.practice_fixture import Practice

Records = list[dict[str, Any]]


@pytest.fixture
def night(mended: Practice, alone: Controller) -> Controller:
    """A hung archive, which takes ten seconds to be stopped, and then a spool to be cleaned."""
    mended.break_("full-spool")
    mended.break_("hung-archive")
    return alone


@contextmanager
def _stopping(me: Controller) -> "Iterator[subprocess.Popen[str]]":
    """Start a run and hand it over at the moment when it is stopping the archive."""
    process = me.start("run", "--json")
    try:
        _until(lambda: any(record["kind"] == "intent" for record in _records(me)))
        time.sleep(0.5)  # the program on the node has begun
        assert process.poll() is None
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def _records(me: Controller) -> Records:
    lines = me.journal.read_text("utf-8").splitlines(keepends=True) if me.journal.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < until, "it did not happen within 30 s"
        time.sleep(0.02)


def _accounts(me: Controller) -> dict[str, list[str]]:
    """Each intent's endings, by title; one whose ending came later has `unknown` before it."""
    titles = {r["step"]: r["title"] for r in me.records() if r["kind"] == "intent"}
    found: dict[str, list[str]] = {step: [] for step in titles}
    for record in me.records():
        if record["kind"] in {"outcome", "reconciled"} and record.get("step") in found:
            found[record["step"]].append(record["ending"])
    return {f"{titles[step]} {step}": ended for step, ended in found.items()}


def _all_is_well(me: Controller, practice: Practice) -> None:
    """The archive serves, nothing is open, the log verifies, and a plan has nothing left."""
    assert {part.state for part in practice.pacs.status()} == {"running"}
    status = me.json("status")
    assert (status["open_intents"], status["closed"]) == ([], True)
    assert me.here("log", "verify").code == 0
    assert {entry["answer"]["kind"] for entry in me.json("plan")["entries"]} == {"nothing"}


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM], ids=lambda number: signal.Signals(number).name)
def test_what_has_begun_is_finished_and_the_rest_is_not_begun(
    night: Controller, mended: Practice, asked: signal.Signals
) -> None:
    """Ctrl-C, or systemd's stop, while the archive is down: it is started and proved, and the spool waits."""
    with _stopping(night) as process:
        process.send_signal(asked)
        answer = finished(process)
    assert answer.code == 130
    run = answer.document
    assert (run["interrupted"], run["exit"]) == (True, 130)
    restart = [ending for _, task, _, ending in endings(run) if task == "service-restart"]
    assert set(restart) == {"done"}
    rest = [done["ending"] for task in run["tasks"] if task["task"] == "disk-cleanup" for done in task["steps"]]
    assert [(one["ending"], one["reason"]) for one in rest] == [("not-run", "interrupted")] * 2
    assert "finishing what has begun" in answer.stderr
    assert all(ended == ["done"] for ended in _accounts(night).values())
    assert len(list(mended.layout.spool.glob("import-*"))) >= 300
    assert night.json("status")["open_intents"] == []
    assert night.here("run").code == 0
    _all_is_well(night, mended)


def test_asked_twice_the_links_are_cut_and_the_next_run_settles_it(night: Controller, mended: Practice) -> None:
    """The step under way is unknown, never failed, and shown as open; the next run looks at it before anything else."""
    with _stopping(night) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        answer = finished(process)
        assert time.monotonic() - began < 9, "the archive's stop was waited for"
    assert answer.code == 3
    assert "links cut" in answer.stderr
    steps = [ending for _, task, _, ending in endings(answer.document) if task == "service-restart"]
    assert (steps[0], "done" in steps) == ("unknown", False)
    assert len(night.json("status")["open_intents"]) == 1
    _next_run_settles_first(night)
    _all_is_well(night, mended)


@pytest.mark.fault(1)
def test_a_killed_run_is_settled_by_the_next(night: Controller, mended: Practice) -> None:
    """SIGKILL in the middle of a step: its intent is open and `status` says so; then each intent has one ending."""
    with _stopping(night) as process:
        process.kill()
        process.communicate()
    (opened,) = night.json("status")["open_intents"]
    assert "service-restart archive" in opened
    assert night.json("status")["closed"] is False
    assert night.here("log", "verify").code == 0
    _next_run_settles_first(night)
    assert all([one for one in ended if one != "unknown"] == ["done"] for ended in _accounts(night).values())
    _all_is_well(night, mended)


def _next_run_settles_first(me: Controller) -> None:
    """While the stop goes on at the node, nothing new is begun there; once it has ended, its verdict counts."""
    before, until = len(me.records()), time.monotonic() + 40
    while (run := me.here("run", "--json")).code == 3:
        assert time.monotonic() < until, "the stop takes ten seconds"
        assert endings(run.document) == []
        assert {task["answer"]["kind"] for task in run.document["tasks"]} == {"refuse"}
        time.sleep(1)
    assert (run.code, [one["subject"] for one in run.document["settled"]]) == (0, ["archive"])
    assert {ending for *_, ending in endings(run.document)} == {"done"}
    kinds = [record["kind"] for record in me.records()[before:]]
    assert kinds.index("reconciled") < kinds.index("intent")


@pytest.mark.fault(9)
def test_a_second_run_meanwhile(night: Controller, mended: Practice) -> None:
    """It ends with 75 and says who is at work; looking, reading and a note go on, and the first run ends well."""
    with _stopping(night) as process:
        second = night.do("run")
        assert (second.code, second.stdout) == (75, "")
        assert f"process {process.pid} of" in second.stderr
        assert "maintainer run" in second.stderr
        document = night.json("run")
        assert (document["format"], document["exit"]) == ("maintainer.error/1", 75)
        assert night.here("log", "note", "the phone rang").code == 0
        assert night.here("log", "list").code == 0
        status = night.json("status")
        assert (status["closed"], f"process {process.pid} of" in status["running"]) == (False, True)
        assert ", which goes on: 'maintainer run'" in night.here("status").stdout
        plan = night.here("plan")
        assert (plan.code, "a run is at work on this node now: 'maintainer run'" in plan.stdout) == (4, True)
        assert night.here("check").code == 1
        first = finished(process)
    assert first.code == 0
    assert {ending for *_, ending in endings(first.document)} == {"done"}
    assert [record["text"] for record in night.records() if record["kind"] == "note"] == ["the phone rang"]
    assert night.json("status")["running"] == ""
    _all_is_well(night, mended)


def test_nobody_reads_what_is_printed(alone: Controller) -> None:
    """A reader that goes away (`maintainer log list | head -1`) ends the command without a complaint."""
    alone.here("run", "--task", "db-vacuum")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            alone.argv("log", "list"), stdout=closed, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    answer = Answer(done.returncode, "", done.stderr)
    assert (answer.code, answer.stderr) == (0, "")
