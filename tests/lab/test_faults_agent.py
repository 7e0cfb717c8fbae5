"""Faults of the agent itself while it works on real nodes: two at once, suspended, killed."""

import signal
import time

import pytest

from tests.e2e.driver import endings, finished
from tests.lab.guard import Night
from tests.lab.slowness import slow_stop

pytestmark = pytest.mark.timeout(600, func_only=True)

RESTART = ("run", "--now", "--task", "service-restart", "--node", "pacs-a", "--json")


@pytest.mark.fault(9)
def test_fault_9_two_agents_at_once(night: Night) -> None:
    """The second of a controller is busy; another controller is refused by the node, and told who is there."""
    other = night.another_controller("other")
    with slow_stop(night.a) as stop, night.running(*RESTART):
        stop.await_begin()
        second = night.do(*RESTART)
        assert (second.code, "maintainer run" in second.stderr) == (75, True)
        refused = night.heard(other.do(*RESTART))
        assert (refused.code, endings(refused.document)) == (4, [])
        assert "this node is held by" in refused.stdout
        stop.let_go()
    assert stop.begun() <= 1


@pytest.mark.fault(8, 10)
def test_fault_10_an_agent_that_slept_is_fenced(night: Night) -> None:
    """Suspended in mid-step; a person releases the node, another agent works there; the first wakes to nothing."""
    other = night.another_controller("other")
    with slow_stop(night.a) as stop:
        sleeper = night.controller.start(*RESTART)
        stop.await_begin()
        sleeper.send_signal(signal.SIGSTOP)
        stop.let_go()
        time.sleep(3)
        released = night.heard(other.do("node", "release", "pacs-a", "--why", "that agent is suspended"))
        assert released.code == 0, released.stderr
        taken = night.heard(other.do("run", "--task", "service-restart", "--node", "pacs-a", "--json"))
        assert (taken.code, {how for *_, how in endings(taken.document)}) == (0, {"done"})
        sleeper.send_signal(signal.SIGCONT)
        woken = night.heard(finished(sleeper))
        assert stop.begun() == 1
    said = [one["ending"] for task in woken.document["tasks"] for one in task["steps"]]
    assert [one["reason"] for one in said if one["ending"] == "not-run"][:1] == ["node-held"]


@pytest.mark.fault(1, 11)
def test_fault_1_a_killed_agent_is_settled_by_the_next(night: Night) -> None:
    """Killed in mid-step: the operation goes on to its end, the next run finds its verdict and starts what is down."""
    with slow_stop(night.a) as stop:
        agent = night.controller.start(*RESTART)
        stop.await_begin()
        agent.kill()
        agent.communicate()
        stop.let_go()
        time.sleep(2)
        answer = night.do("run", "--task", "service-restart", "--node", "pacs-a", "--json")
        assert [one["ending"] for one in answer.document["settled"]] == ["done"]
        assert {how for *_, how in endings(answer.document)} == {"done"}
        assert stop.begun() == 1
