"""A restart is one operation of the node: however it ends, what it stopped runs again."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed
from tests.contract.node.daemons import called, carry_out, daemons, launch, serves, until, verdict
from tests.contract.node.own_node import OwnNode, interpreters
from tests.contract.node.slow_program import alive, parent


@pytest.fixture
def archive(own_node: OwnNode) -> Iterator[OwnNode]:
    """A node whose archive runs."""
    with daemons(own_node, "archive"):
        assert carry_out(own_node, start=("archive",))["ok"] is True
        yield own_node


@pytest.fixture
def pair(own_node: OwnNode) -> Iterator[OwnNode]:
    """A node whose database and archive run."""
    with daemons(own_node, "database", "archive"):
        assert carry_out(own_node, start=("database", "archive"))["ok"] is True
        yield own_node


def trouble(node: OwnNode, name: str, kind: str) -> Path:
    file = node.base / name / kind
    file.touch()
    return file


def pid(node: OwnNode) -> int:
    return int((node.base / "archive" / "pid").read_text())


@pytest.mark.parametrize("python", interpreters())
def test_a_restart_tells_how_long_each_service_was_down(pair: OwnNode, python: str) -> None:
    """Dependents stop first and start last, on every Python of a node."""
    request: dict[str, Any] = {"services": ["database", "archive"], "stop_first": ["database", "archive"]}
    pair.program(python).launch("step-1", "restart", request, 60)
    told = verdict(pair, "step-1")["answer"]["services"]
    assert [told[name]["did"] for name in ("database", "archive")] == ["restarted"] * 2
    assert 0 < told["database"]["down_seconds"] < told["archive"]["down_seconds"]
    assert [called(pair, name) for name in ("database", "archive")] == [["start", "stop", "start"]] * 2
    stopped = [float((pair.base / name / "stopped").read_text()) for name in ("database", "archive")]
    assert stopped[0] > stopped[1]


def test_what_is_only_started_is_never_stopped(pair: OwnNode) -> None:
    """Of services that run nothing is taken away, whatever the request was made for."""
    told = carry_out(pair, start=("database", "archive"))["answer"]["services"]
    assert {one["did"] for one in told.values()} == {"left"}
    assert called(pair, "archive") == ["start"]
    told = carry_out(pair, restart=("database",), start=("archive",))["answer"]["services"]
    assert [told[name]["did"] for name in ("database", "archive")] == ["restarted", "left"]


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        ({"services": ["archive"]}, "stop_first is missing"),
        ({"services": [], "stop_first": []}, "not a list of 1 to"),
        ({"services": ["database"], "stop_first": ["archive"]}, "not part of what runs in the end"),
        ({"services": ["archive", "archive"], "stop_first": []}, "named twice"),
        ({"services": ["archive"], "stop_first": [], "verb": "stop"}, "verb is not known here"),
        ({"services": ["sshd"], "stop_first": ["sshd"]}, "no service of that name"),
    ],
)
def test_no_request_only_stops(pair: OwnNode, request_: Any, what: str) -> None:
    """Whatever a request says: what it may stop is part of what runs in the end, and of what the policy declares."""
    with pytest.raises(ActionFailed, match=what):
        pair.program().launch("step-1", "restart", request_, 60)
    assert pair.observe("operation", id="step-1")["state"] == "unknown-id"
    assert serves(pair, "archive")


def test_a_restart_is_only_ever_launched(archive: OwnNode) -> None:
    """Not as part of a connection, whose end would be its own."""
    with pytest.raises(ActionFailed, match="only launched"):
        archive.act("restart", services=["archive"], stop_first=["archive"])
    assert called(archive, "archive") == ["start"]


def test_what_there_is_no_time_to_start_again_is_not_stopped(archive: OwnNode) -> None:
    """The time for starting is kept back before anything is stopped."""
    ended = carry_out(archive, restart=("archive",), seconds=5)
    assert "not time enough to start again" in ended["error"]["what"]
    assert called(archive, "archive") == ["start"]


@pytest.mark.fault(1, 11)
def test_the_launcher_dies_and_the_archive_serves_again(archive: OwnNode) -> None:
    """Whoever asked is killed while the archive stops, and nobody comes back."""
    before, held = pid(archive), trouble(archive, "archive", "lingers")
    group = archive.base / "launcher"
    archive.prefix = ("/bin/sh", "-c", f'echo $$ > {group}; exec "$@"', "launcher")
    archive.how = {"start_new_session": True}
    launch(archive, restart=("archive",))
    until((archive.base / "archive" / "stopped").exists)
    with pytest.raises(ProcessLookupError):
        os.killpg(int(group.read_text()), signal.SIGKILL)  # nothing of the operation is left in it
    assert not serves(archive, "archive")
    held.unlink()
    until(lambda: serves(archive, "archive"))
    assert pid(archive) != before


def supervisor(node: OwnNode) -> int:
    return int((node.state / "operations" / "running").read_text().split()[1])


def worker(node: OwnNode) -> int:
    """The process that carries it out: it has begun the stop command."""
    return parent(int((node.base / "archive" / "stopping").read_text()))


@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("number", "ending"),
    [(signal.SIGTERM, None), (signal.SIGKILL, "signal 9 ended it")],
    ids=["told to end", "its worker killed"],
)
def test_fault_22_ended_between_stop_and_start(archive: OwnNode, number: signal.Signals, ending: str | None) -> None:
    """The supervisor starts what was stopped before it ends; told to end by a stranger, it leaves no verdict."""
    trouble(archive, "archive", "lingers")
    key = launch(archive, restart=("archive",))
    until((archive.base / "archive" / "stopped").exists)
    os.kill(supervisor(archive) if ending is None else worker(archive), number)
    until(lambda: serves(archive, "archive"))
    ended = verdict(archive, key)
    assert ended["state"] == ("vanished" if ending is None else "finished")
    assert ending is None or ended["error"]["what"] == f"{ending}; archive runs"


def test_a_cancelled_restart_leaves_the_archive_running(archive: OwnNode) -> None:
    """The verdict says that it was cancelled, and how the archive is now."""
    trouble(archive, "archive", "lingers")
    key = launch(archive, restart=("archive",))
    until((archive.base / "archive" / "stopped").exists)
    archive.act("cancel", id=key)
    assert verdict(archive, key)["error"]["what"] == "it was cancelled; archive runs"
    assert serves(archive, "archive")


@pytest.mark.fault(22)
def test_fault_22_its_supervisor_killed_between_stop_and_start(archive: OwnNode) -> None:
    """The worker goes on alone."""
    held = trouble(archive, "archive", "lingers")
    key = launch(archive, restart=("archive",))
    until((archive.base / "archive" / "stopped").exists)
    os.kill(supervisor(archive), signal.SIGKILL)
    held.unlink()
    assert verdict(archive, key)["ok"] is True
    assert serves(archive, "archive")


@pytest.mark.fault(22)
def test_fault_22_a_worker_that_hangs_past_its_time(archive: OwnNode) -> None:
    """Suspended after the stop: at the deadline its supervisor ends it and starts the archive."""
    held = trouble(archive, "archive", "lingers")
    key = launch(archive, restart=("archive",), seconds=8)
    until((archive.base / "archive" / "stopped").exists)
    os.kill(worker(archive), signal.SIGSTOP)
    held.unlink()
    ended = verdict(archive, key)
    assert (ended["error"]["class"], serves(archive, "archive")) == ("deadline", True)
    assert ended["error"]["what"].endswith("; archive runs")


def test_a_stop_that_hangs_is_given_up_and_started_again(archive: OwnNode) -> None:
    """The command is ended with all it started; the verdict is failed, and the archive runs."""
    archive.policy["services"]["archive"]["timeout_seconds"] = 1
    trouble(archive, "archive", "hangs")
    began = time.monotonic()
    ended = carry_out(archive, restart=("archive",))
    assert time.monotonic() - began < 15
    assert ended["error"]["what"].startswith("archive: the stop command did not end within 1 s; archive runs again")
    assert serves(archive, "archive")
    assert not alive(int((archive.base / "archive" / "stopping").read_text()))


def test_a_stop_that_is_given_up_and_takes_effect_later(archive: OwnNode) -> None:
    """The archive that goes down after its stop was given up is started again."""
    archive.policy["services"]["archive"]["timeout_seconds"] = 3
    first, held = pid(archive), trouble(archive, "archive", "hangs")
    key = launch(archive, restart=("archive",))
    until(lambda: called(archive, "archive")[-2:] == ["stop", "start"])
    os.kill(first, signal.SIGTERM)
    held.unlink()
    assert verdict(archive, key)["ok"] is False
    assert serves(archive, "archive")
    assert pid(archive) != first


def test_a_stop_that_does_not_stop_has_failed(archive: OwnNode) -> None:
    """The exit status of a stop command is not believed: while the process lives the stop has failed."""
    archive.policy["services"]["archive"]["timeout_seconds"] = 1
    before = pid(archive)
    trouble(archive, "archive", "deaf")
    what = carry_out(archive, restart=("archive",))["error"]["what"]
    assert what.startswith("archive: after stop the service is running")
    assert pid(archive) == before


def test_a_failed_stop_takes_down_nothing_more(pair: OwnNode) -> None:
    """When the archive does not stop, its database is not stopped either."""
    for name in ("database", "archive"):
        pair.policy["services"][name]["timeout_seconds"] = 1
    trouble(pair, "archive", "deaf")
    what = carry_out(pair, restart=("database", "archive"))["error"]["what"]
    assert "database runs" in what
    assert called(pair, "database") == ["start"]


def test_a_stop_command_that_is_not_there_leaves_nothing_down(pair: OwnNode) -> None:
    """What went down before it was tried is started again."""
    pair.policy["services"]["database"]["stop"] = ["/nowhere/stop"]
    what = carry_out(pair, restart=("database", "archive"))["error"]["what"]
    assert what.startswith("database: the stop command cannot be run: No such file or directory; database runs")
    assert called(pair, "archive") == ["start", "stop", "start"]
    assert serves(pair, "archive")


def test_a_start_that_fails_says_so(archive: OwnNode) -> None:
    """A start command's failure is a sentence with its status; what it says goes where its daemon's output goes."""
    trouble(archive, "archive", "broken")
    ended = carry_out(archive, restart=("archive",))
    assert ended["error"]["what"] == "archive: the start command ended with 1"
    assert "by hand" in ended["error"]["hint"]


def test_one_that_does_not_start_keeps_no_other_from_being_started(pair: OwnNode) -> None:
    """The verdict says which is up and which is not."""
    trouble(pair, "database", "broken")
    ended = carry_out(pair, restart=("database", "archive"))
    assert serves(pair, "archive")
    first, second = ended["error"]["what"].split("; ")
    assert first == "database: the start command ended with 1"
    assert second.startswith("archive runs again after ")
