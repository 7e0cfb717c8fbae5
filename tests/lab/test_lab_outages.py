"""Planned outages of members of a group, prepared or not: never two at once, as workstations see it."""

import pytest

from tests.e2e.driver import endings
from tests.lab.lab import Lab
from tests.lab.workstations import overlap, watched

pytestmark = pytest.mark.timeout(600, func_only=True)


def test_a_restart_of_everything_takes_one_node_after_another(lab: Lab) -> None:
    """Database and archive of both nodes are restarted; one of the archives answers at every moment."""
    with watched(lab) as outages:
        answer = lab.controller.do("run", "--now", "--task", "service-restart", "--json")
    assert {(node, ending) for node, *_, ending in endings(answer.document)} == {("pacs-a", "done"), ("pacs-b", "done")}
    assert answer.code == 0
    assert all(outages[name] for name in lab.nodes)
    assert overlap(*outages.values()) == []


def test_a_prepared_node_reboots_and_comes_back(lab: Lab) -> None:
    """By its own policy: another boot of the same machine that serves, and a partner that always did."""
    before = {name: node.boot_id() for name, node in lab.nodes.items()}
    with watched(lab) as outages:
        answer = lab.controller.do("run", "--now", "--task", "node-reboot", "--node", "pacs-b", "--json")
    assert {ending for *_, ending in endings(answer.document)} == {"done"}
    assert {name for name, node in lab.nodes.items() if node.boot_id() != before[name]} == {"pacs-b"}
    assert [name for name in lab.nodes if outages[name]] == ["pacs-b"]
    assert lab.controller.do("log", "verify").code == 0
