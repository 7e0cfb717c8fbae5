"""Faults while a prepared node works: what is launched there is a unit of systemd's, by the node's own program."""

import signal

import pytest

from tests.e2e.driver import endings
from tests.lab.guard import Night, until
from tests.lab.node import LabNode
from tests.lab.slowness import slow_stop

pytestmark = pytest.mark.timeout(600, func_only=True)

RESTART = ("run", "--now", "--task", "service-restart", "--node", "pacs-b", "--json")
STATE = "/var/lib/maintainer-node"


def units(node: LabNode) -> list[str]:
    """Our operations, as systemd knows them."""
    listed = node.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "maintainer-step-*").stdout
    return [line.split()[0] for line in listed.splitlines()]


def shown(node: LabNode, unit: str, *names: str) -> dict[str, str]:
    lines = node.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.fault(19)
def test_fault_19_sshd_is_restarted_under_a_unit(night: Night) -> None:
    """The unit goes on, its end is found again, and it was begun once; it has an end of its own."""
    with slow_stop(night.b) as stop:
        with night.running(*RESTART) as answers:
            stop.await_begin()
            (unit,) = units(night.b)
            properties = shown(night.b, unit, "RuntimeMaxUSec", "KillMode", "ActiveState", "IOSchedulingClass")
            night.b.run("systemctl", "restart", "ssh")
            night.b.run("sh", "-c", "pkill -u maintainer sshd; true")
            stop.let_go()
        assert {ending for *_, ending in endings(answers[0].document)} == {"done"}
        assert stop.begun() == 1
    assert (properties["KillMode"], properties["ActiveState"]) == ("process", "active")
    assert properties["RuntimeMaxUSec"] != "infinity"
    assert properties["IOSchedulingClass"] != "3", "an archive that is started would inherit the idle class"
    until(lambda: units(night.b) == [])


@pytest.mark.fault(22)
def test_fault_22_a_unit_that_was_collected_has_a_verdict(night: Night) -> None:
    """The agent was killed, the unit has ended and is gone: the next run goes by the file."""
    with slow_stop(night.b) as stop:
        process = night.controller.start(*RESTART)
        stop.await_begin()
        (unit,) = units(night.b)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        beside = night.do("run", "--json")
        assert [one["ending"] for one in beside.document["settled"]] == ["unknown"]
        assert beside.code == 3
        stop.let_go()
        until(lambda: units(night.b) == [])
        gone = shown(night.b, unit, "LoadState", "Result")
    assert gone == {"LoadState": "not-found", "Result": "success"}
    after = night.do("run", "--json")
    assert [one["ending"] for one in after.document["settled"]] == ["done"]
    (verdict,) = [r["text"] for r in night.controller.records() if r["kind"] == "reconciled" and r["ending"] == "done"]
    assert str(verdict).startswith("the node's own verdict of ")


@pytest.mark.fault(22)
def test_fault_22_a_unit_that_somebody_stops_starts_what_it_stopped(night: Night) -> None:
    """How far it was is unknown: the node is left alone, a person is called; the archive serves again by itself."""
    with slow_stop(night.b) as stop:
        with night.running(*RESTART) as answers:
            stop.await_begin()
            (unit,) = units(night.b)
            night.b.run("systemctl", "stop", "--no-block", unit)
            stop.let_go()
        (task,) = answers[0].document["tasks"]
        assert "unknown" in {done["ending"]["ending"] for done in task["steps"]}
        assert "group-frozen" in [found["cause"] for found in task["answer"]["findings"]]
    night.b.wait_until_it_serves()


def test_the_nodes_state_is_roots_alone(night: Night) -> None:
    """Neither the login nor anybody else reads who holds the node, or changes it."""
    night.do(*RESTART)
    listed = night.b.run("stat", "-c", "%U %a", STATE, f"{STATE}/lease.json", f"{STATE}/operations").stdout.split()
    assert listed == ["root", "700", "root", "600", "root", "700"]
