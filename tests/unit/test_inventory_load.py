"""Loading: from a file to assignments."""

import hashlib
import os
from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.errors import Exit, InventoryError
from maintainer.inventory_file.load import LoadedInventory, load_inventory, parse_inventory
from maintainer.model.inventory import SecretCredential, SecretFile
from maintainer.model.service import CommandService, UnitService
from tests.unit.inventory_texts import GOOD, REGISTER, SAMPLE, spoiled


def loaded(text: str) -> LoadedInventory:
    return parse_inventory(text, "i.toml", REGISTER)


def refusal(path: Path) -> InventoryError:
    with pytest.raises(InventoryError) as raised:
        load_inventory(path, REGISTER)
    return raised.value


def test_a_task_runs_where_the_node_has_what_it_needs() -> None:
    """A node without the sections of a task does not get it."""
    assert [(a.node, a.task) for a in loaded(GOOD).assignments] == [("pacs-a", "db-vacuum"), ("pacs-a", "disk-cleanup")]


def test_assignments_keep_the_order_of_the_file() -> None:
    """Nodes come as they are written, and on each node tasks as they are written."""
    database = '[nodes.pacs-b.database]\nname = "pacs"\nuser = "m"\n'
    text = GOOD.replace("[tasks.db-vacuum]", f'{database}[tasks.db-reindex]\nwindow = "night"\n[tasks.db-vacuum]')
    assert [(a.node, a.task) for a in loaded(text).assignments] == [
        ("pacs-a", "db-reindex"),
        ("pacs-a", "db-vacuum"),
        ("pacs-a", "disk-cleanup"),
        ("pacs-b", "db-reindex"),
        ("pacs-b", "db-vacuum"),
    ]


def test_a_node_may_differ_in_one_setting_and_keeps_the_others() -> None:
    """An override is laid over `[tasks.NAME]`, and holds on its node alone."""
    text = spoiled("dead_fraction = 0.2\n", 'dead_fraction = 0.2\nsmallest = "5MB"\n').replace(
        "[tasks.db-vacuum]", '[nodes.pacs-b.database]\nname = "p"\nuser = "m"\n[tasks.db-vacuum]'
    )
    settings = {a.node: a.params for a in loaded(text).assignments if a.task == "db-vacuum"}
    assert [(p.dead_fraction, p.smallest, p.window) for p in settings.values()] == [
        (0.4, 5_000_000, "night"),
        (0.2, 5_000_000, "night"),
    ]


def test_a_task_can_be_kept_to_some_nodes() -> None:
    """`nodes` leaves the others alone, even those that have what the task needs."""
    text = GOOD.replace("[tasks.db-vacuum]", '[nodes.pacs-b.database]\nname = "p"\nuser = "m"\n[tasks.db-vacuum]')
    text = text.replace("dead_fraction = 0.2", 'nodes = ["pacs-a"]')
    assert [a.node for a in loaded(text).assignments if a.task == "db-vacuum"] == ["pacs-a"]


def test_services_and_secrets_are_told_apart() -> None:
    """A service is a unit or commands, a secret a file or a credential, as it was written."""
    text = spoiled("[nodes.pacs-b.ssh]\n", '[nodes.pacs-b.ssh]\nkey = { credential = "ssh" }\n')
    nodes = loaded(text).inventory.nodes
    assert [type(service) for service in nodes["pacs-a"].services.values()] == [UnitService, CommandService]
    assert nodes["pacs-a"].database is not None
    assert nodes["pacs-a"].database.password == SecretFile(file="/etc/maintainer/pacs-a")
    assert nodes["pacs-b"].ssh.key == SecretCredential(credential="ssh")


def test_the_digest_is_of_the_bytes_of_the_file(tmp_path: Path) -> None:
    """An approved plan can be tied to exactly this file; line ends of another system are part of it."""
    file = tmp_path / "inventory.toml"
    raw = GOOD.replace("\n", "\r\n").encode()
    file.write_bytes(raw)
    found = load_inventory(file, REGISTER)
    assert (found.digest, found.path) == (hashlib.sha256(raw).hexdigest(), str(file))


def test_positions_hold_with_line_ends_of_another_system() -> None:
    """A file from a Windows editor is reported with the same lines and columns."""
    with pytest.raises(InventoryError) as raised:
        loaded(spoiled("port = 4242", "port = 70000").replace("\n", "\r\n"))
    assert [problem.split(" ")[0] for problem in raised.value.problems] == ["i.toml:36:8:"]


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """The first error of a new user names the way out."""
    error = refusal(tmp_path / "inventory.toml")
    assert error.problems == (f"{tmp_path}/inventory.toml: there is no such file",)
    assert "`maintainer practice up`" in error.hint
    assert "--inventory" in error.hint
    assert error.exit is Exit.USAGE


def test_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    """What is no file is never waited for."""
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path).problems == (f"{tmp_path}: this is a folder, not an inventory",)
    assert refusal(tmp_path / "pipe").problems == (f"{tmp_path}/pipe: this is not a regular file",)


def test_a_path_that_no_file_can_have_is_refused() -> None:
    """A zero byte in the name of a file is answered like any other mistake."""
    assert refusal(Path("a\0b")).problems == ("a?b: this is not a regular file",)


def test_a_file_too_large_to_be_an_inventory_is_refused(tmp_path: Path) -> None:
    """No more is read than an inventory can have."""
    file = tmp_path / "inventory.toml"
    file.write_bytes(b"#" * 256_001)
    assert refusal(file).problems == (f"{file}: the file is too large: an inventory has at most 256 kB",)


def test_a_file_that_is_not_utf8_says_where(tmp_path: Path) -> None:
    """The character to mend is named, also behind others that take several bytes."""
    file = tmp_path / "inventory.toml"
    file.write_bytes("# Noël\n# é".encode() + b"\xe9\n")
    assert refusal(file).problems == (f"{file}:2:4: the file is not UTF-8: save it as UTF-8",)


def test_the_sample_describes_the_practice_pacs() -> None:
    """Every task of the product but node-reboot runs on the practice node, under its practice settings."""
    found = load_inventory(SAMPLE, REGISTER)
    node = found.inventory.nodes["practice"]
    assert [(a.node, a.task, a.params.window) for a in found.assignments] == [
        ("practice", task, "any-time") for task in REGISTER if task != "node-reboot"
    ]
    assert (node.address, node.ssh.port, node.ssh.user) == ("127.0.0.1", 42022, "practice")
    assert node.cleanup["spool"].older_than == timedelta(days=1)
    assert found.inventory.windows["night"].opens.hour == 22


def test_the_constants_of_the_sample_can_be_replaced_as_text() -> None:
    """A practice PACS in another folder and on other ports is made by replacing each constant."""
    text = SAMPLE.read_text("utf-8")
    assert [text.count(port) for port in ("42022", "42432", "42104")] == [1, 1, 1]
    assert text.count("/tmp/") == text.count('"/tmp/maintainer-practice/')  # noqa: S108 (a text, not a place)


def test_the_practice_package_carries_the_sample() -> None:
    """There is one sample; what is installed is the same text."""
    link = SAMPLE.parent / "maintainer" / "practice" / "inventory.toml"
    assert link.readlink() == Path("../../inventory.toml")
