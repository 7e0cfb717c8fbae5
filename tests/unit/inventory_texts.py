"""A good inventory, to be spoiled, and what is said of it then."""

from pathlib import Path

import pytest

from maintainer.errors import InventoryError
from maintainer.inventory_file.load import parse_inventory
from maintainer.model.task import AnyTask
from tasks.db_reindex import DbReindex
from tasks.db_vacuum import DbVacuum
from tasks.dicom_integrity import DicomIntegrity
from tasks.disk_cleanup import DiskCleanup
from tasks.node_reboot import NodeReboot
from tasks.service_restart import ServiceRestart

SAMPLE = Path(__file__).parents[2] / "inventory.toml"
REGISTER: dict[str, AnyTask] = {
    task.name: task
    for task in (ServiceRestart(), NodeReboot(), DbVacuum(), DbReindex(), DiskCleanup(), DicomIntegrity())
}
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE9n4sg5dmmyPxVhwaUqcnEoQJlSItVgwN0UM5p9W2Ya"
GOOD = f"""\
[site]
name = "general"
timezone = "Europe/Paris"

[controller]
state = "/var/lib/maintainer"

[windows.night]
opens = "22:00"
closes = "05:00"
days = ["mon", "fri"]

[groups.archive]
members = ["pacs-a", "pacs-b"]

[nodes.pacs-a]
address = "10.0.0.1"
[nodes.pacs-a.ssh]
user = "maintainer"
host_key = "{HOST_KEY}"
[nodes.pacs-a.services.archive]
unit = "orthanc.service"
[nodes.pacs-a.services.viewer]
start = ["/opt/viewer", "start"]
stop = ["/opt/viewer", "stop"]
status = ["/opt/viewer", "status"]
pid_file = "/run/viewer.pid"
[nodes.pacs-a.database]
name = "pacs"
user = "maintainer"
password = {{ file = "/etc/maintainer/pacs-a" }}
[nodes.pacs-a.store]
archive = "practice"
path = "/srv/dicom"
[nodes.pacs-a.dicom]
port = 4242
ae_title = "PACS A"
[nodes.pacs-a.cleanup.spool]
path = "/var/spool/pacs"
patterns = ["*.tmp"]
older_than = "7d"
[nodes.pacs-a.tasks.db-vacuum]
dead_fraction = 0.4

[nodes.pacs-b]
address = "pacs-b.example"
[nodes.pacs-b.ssh]
user = "maintainer"
known_hosts = "/etc/maintainer/known_hosts"

[tasks.db-vacuum]
window = "night"
dead_fraction = 0.2
[tasks.disk-cleanup]
window = "night"
"""


def spoiled(old: str, new: str) -> str:
    """Replace what stands once in the good inventory."""
    assert GOOD.count(old) == 1, f"{old!r} stands {GOOD.count(old)} times in the good inventory"
    return GOOD.replace(old, new)


def mistakes(text: str) -> list[str]:
    """Return what is said of a text, without the name of the file."""
    with pytest.raises(InventoryError) as raised:
        parse_inventory(text, "i.toml", REGISTER)
    return [problem.removeprefix("i.toml:") for problem in raised.value.problems]
