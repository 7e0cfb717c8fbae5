"""The sample inventory becomes the inventory of another practice PACS."""

from pathlib import Path

from maintainer.practice.layout import Layout, Ports
from maintainer.practice.sample import render

SAMPLE = """
state = "/tmp/maintainer-practice/controller"
port = 42022 # of 420220 and 142022 nothing changes
known_hosts = "/tmp/maintainer-practice/known_hosts"
# known_hosts = "a comment stays"
port = 42432
port = 42104
"""


def test_folder_ports_and_host_key_are_replaced(tmp_path: Path) -> None:
    """Each of them wherever it stands, and nothing that only looks like it."""
    layout = Layout(tmp_path)
    ports = Ports(ssh=1022, database=1432, dicom=1104)
    assert (
        render(SAMPLE, layout, ports, "ssh-ed25519 AAAA")
        == f"""
state = "{tmp_path}/controller"
port = 1022 # of 420220 and 142022 nothing changes
host_key = "ssh-ed25519 AAAA"
# known_hosts = "a comment stays"
port = 1432
port = 1104
"""
    )


def test_ports_that_trade_places_are_not_mixed_up(tmp_path: Path) -> None:
    """One pass over the text: a port that was put in is not taken for a default one afterwards."""
    ports = Ports(ssh=42432, database=42104, dicom=42022)
    rendered = render("42022 42432 42104", Layout(tmp_path), ports, "")
    assert rendered == "42432 42104 42022"
