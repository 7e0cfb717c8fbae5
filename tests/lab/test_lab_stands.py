"""A test that breaks a node harms no other: the next one gets the lab as it was."""

import pytest

from tests.lab.condition import condition
from tests.lab.lab import Lab
from tests.lab.standing import Standing

pytestmark = pytest.mark.timeout(600, func_only=True)


@pytest.mark.both_down("the test breaks both nodes")
def test_broken_nodes_are_put_right_before_the_next_test(lab: Lab, standing: Standing) -> None:
    """One without power, one that hangs behind a cut network with a stopped archive and a changed setting."""
    a, b = lab.nodes.values()
    as_loaded = {node.name: condition(node) for node in lab.nodes.values()}
    a.power_off()
    b.write("/etc/systemd/system/orthanc.service.d/left.conf", "[Service]\nExecStartPre=/bin/false")
    b.run("mkdir", "-p", "/var/lib/maintainer-node")
    b.run("mount", "-t", "tmpfs", "left", "/var/lib/maintainer-node")
    b.run("systemctl", "stop", "orthanc")
    b.on_its_network("iptables", "-w", "-A", "INPUT", "-p", "tcp", "-j", "DROP")
    for freezer in b.freezers():
        freezer.write_text("1")
    assert standing.lend("this test") is lab
    assert {node.name: condition(node) for node in lab.nodes.values()} == as_loaded
