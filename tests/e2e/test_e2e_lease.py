"""Two controllers, a killed agent and a killed sshd, on a practice PACS: FAULTS 1, 9, 10, 11, 12 and 19."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.app import Maintainer, load
from maintainer.errors import NodeHeld
from maintainer.model.action import NodeOperation, RestartServices, Sql
from maintainer.practice.service import Service
from tests.e2e.driver import Controller, controller, endings, finished, steps
from tests.practice_fixture import Practice

SOON = timedelta(seconds=60)
RESTART = RestartServices(services=("archive",), stop_first=("archive",))


@pytest.fixture
def me(practice: Practice, tmp_path: Path) -> Controller:
    (tmp_path / "me").mkdir()
    return controller(tmp_path / "me", {"practice": practice})


@pytest.fixture
def other(practice: Practice, tmp_path: Path) -> Controller:
    (tmp_path / "other").mkdir()
    return controller(tmp_path / "other", {"practice": practice})


def remembered(practice: Practice) -> Path:
    return practice.layout.home / ".local" / "state" / "maintainer"


def lease_rows(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["verdict"], row["detail"]) for row in answer["nodes"] if row["what"] == "lease"]


def test_looking_leaves_nothing_on_the_node(practice: Practice, me: Controller) -> None:
    """Neither a plan nor a check takes a lease, or makes the folder for one; a run does and gives it back."""
    for command in ("plan", "check"):
        me.do(command)
        assert not practice.layout.home.exists()
    me.do("run")
    lease = json.loads((remembered(practice) / "lease.json").read_text())
    assert (lease["token"], lease["holder"]) == (1, None)


@pytest.mark.fault(9, 10)
def test_fault_9_and_10_two_controllers(practice: Practice, me: Controller, other: Controller) -> None:
    """The second is refused and told by whom; once a person has released the node it works, and the first is fenced."""
    practice.break_("full-spool")
    sleeping = Maintainer(load(other.inventory))
    with sleeping.read_log() as log, sleeping.fleet(log, "asleep").work("practice") as (_, actor):
        refused = me.do("run", "--json")
        assert (refused.code, endings(refused.document)) == (4, [])
        because = {task["answer"]["because"] for task in refused.document["tasks"]}
        assert len(because) == 1
        assert "run asleep" in because.pop()
        assert "maintainer node release" in refused.document["tasks"][0]["answer"]["hint"]

        assert lease_rows(me.json("check"))[0][0] == "ok"
        file = remembered(practice) / "lease.json"
        file.write_text(file.read_text().replace('"since": "20', '"since": "19'))
        ((verdict, detail),) = lease_rows(me.json("check"))
        assert (verdict, "hours" in detail) == ("warning", True)

        released = me.do("node", "release", "practice", "--why", "its disk is dead", "--json")
        assert (released.code, released.document["before"]["run"], released.document["running"]) == (0, "asleep", None)
        (note,) = [record["text"] for record in me.records() if record["kind"] == "note"]
        assert note.endswith("its disk is dead")

        worked = me.json("run")
        assert {ending for *_, ending in endings(worked)} == {"done"}
        sql = Sql(text='VACUUM "public"."access_log"')
        for action in (sql, NodeOperation(program="quarantine", request={"root": "spool"}), RESTART):
            with pytest.raises(NodeHeld, match="fenced"):
                actor.perform(action, SOON, "step-late")
    assert Service(practice.layout, "archive").process() is not None
    assert lease_rows(me.json("check")) == []


def launched(practice: Practice) -> Path:
    """The note of the first operation, once it is there."""
    until = time.monotonic() + 60
    while not (found := sorted((remembered(practice) / "operations").glob("*.launch"))):
        assert time.monotonic() < until, "nothing was launched"
        time.sleep(0.02)
    return found[0]


@contextmanager
def held_up(practice: Practice) -> Iterator[None]:
    """Let the operation that runs not end meanwhile, however long a look takes on this machine."""
    running = remembered(practice) / "operations" / "running"
    until = time.monotonic() + 60
    while len(words := running.read_text().split()) < 3:
        assert time.monotonic() < until, "nothing runs"
        time.sleep(0.02)
    group = os.getpgid(int(words[1]))
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)


@pytest.mark.fault(1, 11)
def test_fault_1_and_11_the_agent_is_killed_while_the_archive_stops(practice: Practice, me: Controller) -> None:
    """The restart goes on without the agent until the archive serves again; the next run builds on its verdict."""
    practice.break_("hung-archive")
    run = me.start("run", "--task", "service-restart")
    note = launched(practice)
    run.send_signal(signal.SIGKILL)
    run.communicate()

    with held_up(practice):
        beside = me.do("run", "--json")
    assert beside.code == 3
    assert [one["ending"] for one in beside.document["settled"]] == ["unknown"]
    assert endings(beside.document) == []

    _await(note.with_suffix(".json"))
    assert json.loads(note.with_suffix(".json").read_text())["answer"]["services"]["archive"]["did"] == "restarted"
    assert steps(me.json("plan", "--task", "service-restart")) == []
    after = me.do("run", "--json", "--task", "service-restart")
    assert [one["ending"] for one in after.document["settled"]] == ["done"]
    (record,) = [r for r in me.records() if r["kind"] == "reconciled" and r["ending"] == "done"]
    assert record["text"].startswith("the node's own verdict of ")
    assert endings(after.document) == []
    assert me.json("log", "verify")["verified"] is True


@pytest.mark.fault(12)
def test_fault_12_the_link_is_cut_for_good_while_the_archive_stops(practice: Practice, me: Controller) -> None:
    """The archive serves again though nobody can reach the node any more; the step is unknown until somebody can."""
    practice.break_("hung-archive")
    before = Service(practice.layout, "archive").process()
    run = me.start("run", "--json", "--task", "service-restart")
    note = launched(practice)
    _end_sshd(practice)
    _await(note.with_suffix(".json"))
    after = Service(practice.layout, "archive").process()
    assert before is not None
    assert after is not None
    assert after.pid != before.pid
    for _ in range(2):
        run.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert endings(finished(run).document)[0][-1] == "unknown"
    _start_sshd(practice)
    settled = me.json("run", "--task", "service-restart")
    assert [one["ending"] for one in settled["settled"]] == ["done"]
    assert endings(settled) == []


@pytest.mark.fault(12, 19)
def test_fault_12_and_19_sshd_is_killed_while_the_archive_stops(practice: Practice, me: Controller) -> None:
    """The run finds its operation again when sshd is back, and ends as if nothing had been."""
    practice.break_("hung-archive")
    run = me.start("run", "--json", "--task", "service-restart")
    launched(practice)
    _end_sshd(practice)
    time.sleep(1)
    _start_sshd(practice)
    stdout, _ = run.communicate(timeout=90)
    document = json.loads(stdout)
    assert {ending for *_, ending in endings(document)} == {"done"}
    notes = sorted((remembered(practice) / "operations").glob("*.launch"))
    assert [json.loads(note.read_text())["asked"]["program"] for note in notes] == ["restart"]


def _end_sshd(practice: Practice) -> None:
    process = Service(practice.layout, "sshd").process()
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    _await_end(process.pid)


def _start_sshd(practice: Practice) -> None:
    argv = [sys.executable, "-m", "maintainer.practice.service", str(practice.folder), "sshd", "start"]
    subprocess.run(argv, check=True)


def _await(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"{path} never came"
        time.sleep(0.05)


def _await_end(pid: int) -> None:
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < until
        time.sleep(0.02)
