"""Faults of the way to a real node while the agent works on it, through the whole product."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.driver import Answer, endings
from tests.lab import breakages, interference
from tests.lab.guard import STATE, Night, until
from tests.lab.slowness import slow_stop
from tests.lab.workstations import association

pytestmark = pytest.mark.timeout(600, func_only=True)

RESTART = ("run", "--now", "--task", "service-restart", "--node", "pacs-a", "--json")
CLEANUP = ("run", "--task", "disk-cleanup", "--node", "pacs-a", "--json")


def how(answer: Answer) -> set[str]:
    return {ending for *_, ending in endings(answer.document)}


@pytest.mark.fault(12)
def test_fault_12_packets_vanish_in_mid_step(night: Night) -> None:
    """The archive stops while nobody can see it; the operation is found again, and the night goes on to its end."""
    with slow_stop(night.a) as stop:
        with night.running(*RESTART) as answers:
            stop.await_begin()
            with interference.cut(night.a, "drop", port=22):
                stop.let_go()
                _await_given_up(night)
        assert how(answers[0]) == {"done"}
        assert stop.begun() == 1


@pytest.mark.fault(13)
def test_fault_13_the_answer_to_a_launch_vanishes(night: Night) -> None:
    """Launched again under the same id: it is the one that runs, and the archive is told to stop once."""
    with slow_stop(night.a) as stop, night.running(*RESTART) as answers, contextlib.ExitStack() as locked:
        with night.lab.network():
            until(lambda: night.a.run("test", "-e", f"{STATE}/lease.json", check=False).returncode == 0)
            with association(night.a.address):
                until(lambda: _intents(night) == 1)  # of the drain, which waits for our association
                locked.enter_context(_memory_locked(night))
        until(lambda: _intents(night) == 2)
        until(lambda: night.a.run("sh", "-c", _WAITING).stdout)
        with interference.cut(night.a, "drop", port=22):
            locked.close()
            stop.await_begin()
            _await_given_up(night)
        stop.let_go()
    assert how(answers[0]) == {"done"}
    intents = [record["title"] for record in night.controller.records() if record["kind"] == "intent"]
    assert intents.count("restart database, archive") == 1


# The launch is on the node and has opened the lock that is ours.
_WAITING = f"find /proc/[0-9]*/fd -lname '*{STATE}/lock' 2>/dev/null; true"


def _await_given_up(night: Night) -> None:
    """Wait until the agent has no connection to the node any more: about 15 s after nothing came back."""
    established = ("ss", "--no-header", "--tcp", "state", "established", "dst", f"{night.a.address}:22")
    until(lambda: night.lab.room.do(*established) == "")


def _intents(night: Night) -> int:
    journal = night.controller.journal
    return journal.read_text("utf-8").count('"kind":"intent"') if journal.exists() else 0


@contextlib.contextmanager
def _memory_locked(night: Night) -> Iterator[None]:
    """Keep the node's program from changing what it remembers."""
    with Path(f"/proc/{night.a.leader()}/root{STATE}/lock").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.fault(14)
def test_fault_14_connections_are_reset_for_a_while(night: Night) -> None:
    """Tried again while connecting, until it may; what was reset in mid-step is found again."""
    breakages.full_spool(night.a)
    with night.running(*CLEANUP) as answers, interference.cut(night.a, "reject", port=22):
        until(lambda: interference.rejected(night.a) > 1)
    assert how(answers[0]) == {"done"}
    with slow_stop(night.a) as stop:
        with night.running(*RESTART) as answers:
            stop.await_begin()
            with interference.cut(night.a, "reject", port=22):
                stop.let_go()
                until(lambda: interference.rejected(night.a) > 1)
        assert how(answers[0]) == {"done"}
        assert stop.begun() == 1


@pytest.mark.fault(15)
def test_fault_15_one_packet_in_five_is_lost(night: Night) -> None:
    """It is slower; the step is done, or unknown and settled by the next run; never failed."""
    breakages.full_spool(night.a)
    with interference.cut(night.a, "lossy", port=22):
        answer = night.do(*CLEANUP)
    assert how(answer) <= {"done", "unknown"}
    assert answer.code in {0, 3}
    again = night.do(*CLEANUP)
    assert again.code == 0
    assert how(night.do(*CLEANUP)) == set()
    # Where the farewell was lost too, sshd keeps a session without a peer; what reads from it ends by its own alarm,
    # after ten minutes.
    night.a.run("sh", "-c", "pkill -u maintainer; true")


@pytest.mark.fault(16)
def test_fault_16_a_line_of_256_kbit(night: Night) -> None:
    """The node answers at the pace of a telephone line; the work is done, in its time."""
    breakages.full_spool(night.a)
    with interference.slowed(night.a):
        began = time.monotonic()
        answer = night.do(*CLEANUP)
        took = time.monotonic() - began
    assert (answer.code, how(answer)) == (0, {"done"})
    assert took < 60


@pytest.mark.fault(18)
def test_fault_18_two_sessions_and_two_callers(night: Night) -> None:
    """MaxSessions 2 and MaxStartups 2: every task looks and works all the same."""
    setting = "/etc/ssh/sshd_config.d/few.conf"
    night.a.write(setting, "MaxSessions 2\nMaxStartups 2")
    night.a.run("systemctl", "reload", "ssh")
    try:
        breakages.full_spool(night.a)
        answer = night.do("run", "--json")
        assert (answer.code, how(answer)) == (0, {"done"})
    finally:
        night.a.run("rm", setting)
        night.a.run("systemctl", "reload", "ssh")


@pytest.mark.fault(19)
def test_fault_19_sshd_is_restarted_in_mid_step(night: Night) -> None:
    """With every session of ours ended: the operation lives, is found again, and was begun once."""
    with slow_stop(night.a) as stop:
        with night.running(*RESTART) as answers:
            stop.await_begin()
            night.a.run("systemctl", "restart", "ssh")
            night.a.run("sh", "-c", "pkill -u maintainer; true")
            stop.let_go()
        assert how(answers[0]) == {"done"}
        assert stop.begun() == 1
