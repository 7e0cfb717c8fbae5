"""Faults of the agent itself while it works on real nodes: two at once, suspended, killed."""

import signal

import pytest

from tests.e2e.driver import endings, finished
from tests.lab import breakages
from tests.lab.guard import Night, until
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
    """Suspended in mid-step, which goes to its end; another agent works there; the first begins nothing more."""
    other = night.another_controller("other")
    breakages.full_spool(night.a)
    breakages.hung_archive(night.a)
    with slow_stop(night.a) as stop:
        tasks = ("--task", "service-restart", "--task", "disk-cleanup")
        sleeper = night.controller.start("run", *tasks, "--node", "pacs-a", "--json")
        stop.await_begin()
        _, supervisor = stop.operation()
        sleeper.send_signal(signal.SIGSTOP)
        stop.let_go()
        until(lambda: night.a.run("test", "-d", f"/proc/{supervisor}", check=False).returncode)
        released = night.heard(other.do("node", "release", "pacs-a", "--why", "that agent is suspended"))
        assert released.code == 0, released.stderr
        taken = night.heard(other.do("run", "--task", "service-restart", "--node", "pacs-a", "--json"))
        assert (taken.code, endings(taken.document)) == (0, []), "what was begun was finished without the agent"
        sleeper.send_signal(signal.SIGCONT)
        woken = night.heard(finished(sleeper))
        assert stop.begun() == 1
    said = [one["ending"] for task in woken.document["tasks"] for one in task["steps"]]
    assert [one["reason"] for one in said if one["ending"] == "not-run"][:1] == ["node-held"]


@pytest.mark.fault(1, 11)
def test_fault_1_a_killed_agent_is_settled_by_the_next(night: Night) -> None:
    """Killed in mid-step: the restart goes to its end, and the next run finds its verdict and nothing to do."""
    with slow_stop(night.a) as stop:
        agent = night.controller.start(*RESTART)
        stop.await_begin()
        _, supervisor = stop.operation()
        agent.kill()
        agent.communicate()
        stop.let_go()
        until(lambda: night.a.run("test", "-d", f"/proc/{supervisor}", check=False).returncode)
        night.a.wait_until_it_serves()
        answer = night.do("run", "--task", "service-restart", "--node", "pacs-a", "--json")
        assert [one["ending"] for one in answer.document["settled"]] == ["done"]
        assert endings(answer.document) == []
        assert stop.begun() == 1
