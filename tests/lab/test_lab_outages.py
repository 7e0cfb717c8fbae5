"""Planned outages of members of a group, prepared or not: never two at once, as workstations see it."""

import pytest

from tests.e2e.driver import endings
from tests.lab.lab import Lab
from tests.lab.workstations import Watch

pytestmark = pytest.mark.timeout(600, func_only=True)


def test_a_restart_of_everything_takes_one_node_after_another(lab: Lab, watch: Watch) -> None:
    """Database and archive of both nodes are restarted; one of the archives answers at every moment."""
    answer = lab.controller.do("run", "--now", "--task", "service-restart", "--json")
    assert {(node, ending) for node, *_, ending in endings(answer.document)} == {("pacs-a", "done"), ("pacs-b", "done")}
    assert answer.code == 0
    assert all(watch.outages().values())
    assert watch.both_out() == []


def test_a_prepared_node_reboots_and_comes_back(lab: Lab, watch: Watch) -> None:
    """By its own policy: another boot of the same machine that serves, and a partner that always did."""
    before = {name: node.boot_id() for name, node in lab.nodes.items()}
    answer = lab.controller.do("run", "--now", "--task", "node-reboot", "--node", "pacs-b", "--json")
    assert {ending for *_, ending in endings(answer.document)} == {"done"}
    assert {name for name, node in lab.nodes.items() if node.boot_id() != before[name]} == {"pacs-b"}
    assert [name for name, outages in watch.outages().items() if outages] == ["pacs-b"]
    assert lab.controller.do("log", "verify").code == 0
