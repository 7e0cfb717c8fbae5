"""The printed set-up: no shell ever reads a value of the inventory, and what is granted is what the inventory needs."""

import base64
import json
import re
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.errors import UsageError
from maintainer.links.public_key import read_public_key
from maintainer.model import installation
from maintainer.model.inventory import Node
from maintainer.model.window import Window
from maintainer.node import place
from maintainer.node.installation import FORMAT
from maintainer.planning.installed_policy import installed_policy
from maintainer.planning.preparation import Preparation, check_account, check_sources

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
GOLDEN = Path(__file__).with_name("node_prepare.sh")
PROGRAMS = {
    "observe": ("cleanup", "fan-speed", "hello", "services", "store-list"),
    "act": ("expire", "quarantine", "reboot", "restart"),
}
SERVICES = {"orthanc": {"unit": "orthanc.service"}}
CLEANUP = {"spool": {"path": "/srv/spool", "patterns": ["*.tmp"], "older_than": timedelta(days=1)}}
NIGHT = Window.model_validate({"opens": "22:00", "closes": "05:00"})


def node(**more: Any) -> Node:
    ssh = {"user": "maintainer", "host_key": KEY, "sudo": True, "prepared": True}
    return Node.model_validate({"address": "10.0.0.1", "ssh": ssh, **more})


def made(node: Node, **more: Any) -> Preparation:
    policy = installed_policy(node, ["*.part"], PROGRAMS, [NIGHT])
    fields: dict[str, Any] = {"name": "pacs-b", "node": node, "key": KEY, "sources": ("10.0.0.2",), "policy": policy}
    return Preparation(**{**fields, "program": b"PK the program", **more})


def full() -> Node:
    database = {"name": "orthanc", "user": "maintainer", "password": {"file": "/etc/maintainer/pacs-b"}}
    return node(services=SERVICES, cleanup=CLEANUP, database=database)


def variables(script: str) -> dict[str, str]:
    """What a shell would read in the script's assignments."""
    lines = re.findall(r"^[a-z_0-9]+=(?:'|[A-Za-z0-9/.@%+=:,_-]*$).*$", script.partition("\nsay()")[0], re.MULTILINE)
    return dict(word.split("=", 1) for line in lines for word in shlex.split(line))


def block(script: str, word: str) -> str:
    return script.partition(f"<<'{word}'\n")[2].partition(f"\n{word}\n")[0]


def test_the_script_is_as_it_was_read() -> None:
    """A change to what sysadmins run as root shows as a change of this file."""
    assert made(full(), tables=("files", "objects")).set_up() + "\n" == GOLDEN.read_text("utf-8")


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=63)
FOLDERS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, categories=("L", "N", "P", "S", "Zs")), min_size=1
)


@given(name=WORDS, user=WORDS, folder=FOLDERS)
def test_no_value_is_read_by_the_shell(name: str, user: str, folder: str) -> None:
    """Whatever quotes, dollars or markers a value has: the shell assigns just it, and the policy holds just it."""
    path = "/srv/" + "".join(c for c in folder if c.isprintable() and c not in "/.").strip() + "x"
    cleanup = {"spool": {**CLEANUP["spool"], "path": path, "patterns": [name.replace("/", "_")]}}
    preparation = made(node(cleanup=cleanup, database={"name": name, "user": user}))
    for script in (preparation.set_up(), preparation.undoing()):
        read = variables(script)
        assert (read["database"], read["role"]) == (name, user)
        assert shlex.split(read["by_hand"])[-1] == name
    policy = json.loads(block(preparation.set_up(), "POLICY"))
    assert policy["roots"]["spool"]["path"] == path
    assert block(preparation.set_up(), "POLICY").isascii()


def test_the_program_travels_whole() -> None:
    """What base64 gives back is the program, and its digest is the one that is compared."""
    script = made(full(), program=bytes(range(256)) * 40).set_up()
    assert base64.b64decode(block(script, "PROGRAM")) == bytes(range(256)) * 40
    assert variables(script)["sha256"] == made(full(), program=bytes(range(256)) * 40).sha256
    assert not re.search(r"(?<![\w.])@[a-z_]+@", script)


def test_what_the_key_may_do() -> None:
    """Nothing but the program, from the controller only; a tunnel only where there is a database, and only to it."""
    command = 'command="sudo -n /usr/bin/python3 -I -S -B /usr/local/lib/maintainer/node.pyz"'
    assert made(node(services=SERVICES)).key_options() == f'restrict,from="10.0.0.2",{command}'
    six = node(database={"name": "x", "user": "y", "host": "::1", "port": 5433})
    tunnel = 'port-forwarding,permitopen="[::1]:5433"'
    several = made(six, sources=("10.0.0.2", "10.1.0.0/16")).key_options()
    assert several == f'restrict,from="10.0.0.2,10.1.0.0/16",{tunnel},{command}'
    plain = six.model_copy(update={"ssh": six.ssh.model_copy(update={"sudo": False})})
    assert "sudo" not in made(plain).key_options()
    assert variables(made(plain).set_up())["sudo"] == "no"


def test_the_policy_holds_what_the_inventory_has_and_no_more() -> None:
    """A program that could have nothing to do on the node is not allowed there; a stranger's program is."""
    whole = installed_policy(full(), (), PROGRAMS, [NIGHT])
    assert whole["programs"] == {
        "observe": ["cleanup", "fan-speed", "hello", "services"],
        "act": ["expire", "quarantine", "restart"],
    }
    bare = installed_policy(node(), (), PROGRAMS, [])
    assert bare["programs"] == {"observe": ["fan-speed", "hello"], "act": []}
    assert (whole["longest_seconds"], bare["longest_seconds"]) == (8 * 3600, 900)
    always = Window.model_validate({"opens": "00:00", "closes": "00:00"})
    assert installed_policy(node(), (), PROGRAMS, [NIGHT, always])["longest_seconds"] == 86400


def test_both_ends_know_the_same_places() -> None:
    """Where the script puts the policy is where the program looks, and its format is the one it reads."""
    assert (installation.POLICY, installation.POLICY_FORMAT) == (place.POLICY, FORMAT)


@pytest.mark.parametrize("user", ["root", "Upper", "a b", "x;y", "", "ALL", "%wheel", "-x", "x" * 33])
def test_accounts_that_cannot_be_prepared(user: str) -> None:
    """Root, and names that useradd or sudoers would read otherwise, are refused with a sentence."""
    ssh = node().ssh.model_copy(update={"user": user})
    with pytest.raises(UsageError, match="a prepared node wants an account of its own"):
        check_account("pacs-b", node().model_copy(update={"ssh": ssh}))
    check_account("pacs-b", node())


@pytest.mark.parametrize("source", ["", "*", "*.*", '10.0.0.1" no-pty', "a,b", "a b", "10.0.0.1\n", "!*"])
def test_addresses_that_nobody_should_come_from(source: str) -> None:
    """What would match everybody, or more than one option, is refused."""
    with pytest.raises(UsageError, match="is no address to come from"):
        check_sources(["10.0.0.1", source])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "this is the private key"),
        ("", "not one public key"),
        (KEY + "\n" + KEY + "\n", "not one public key"),
        ("ssh-dss AAAA\n", "not one public key"),
        (KEY.replace("AAAAC3", "BBBBC3"), "not one public key"),
        ('command="sh" ' + KEY, "not one public key"),
    ],
)
def test_files_that_are_no_public_key(tmp_path: Path, text: str, what: str) -> None:
    """A private key above all never gets into a script."""
    (tmp_path / "key.pub").write_text(text)
    with pytest.raises(UsageError, match=what):
        read_public_key(tmp_path / "key.pub")
    with pytest.raises(UsageError, match="cannot be read"):
        read_public_key(tmp_path / "none.pub")


def test_a_public_key_loses_its_comment(tmp_path: Path) -> None:
    """Only type and key get into the script, whatever the comment says."""
    (tmp_path / "key.pub").write_text(f"# made by hand\n{KEY} jane'; rm -rf /\n")
    assert read_public_key(tmp_path / "key.pub") == KEY
