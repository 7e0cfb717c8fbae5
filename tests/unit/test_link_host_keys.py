"""Which lines of a known_hosts file are about a node, and what they allow."""

import base64
import hmac
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.errors import NodeUnreachable
from maintainer.links.host_keys import HostKey, pins_of
from maintainer.model.inventory import Node, Ssh


def blob(kind: str, body: bytes = b"one") -> bytes:
    return len(kind).to_bytes(4, "big") + kind.encode() + body


def line(kind: str = "ssh-ed25519", body: bytes = b"one") -> str:
    return f"{kind} {base64.b64encode(blob(kind, body)).decode()}"


def node(path: Path | None, address: str = "pacs-a.example", port: int = 22, host_key: str | None = None) -> Node:
    known = str(path) if path else None
    return Node(address=address, ssh=Ssh(user="m", port=port, known_hosts=known, host_key=host_key))


def hashed(host: str, salt: bytes = bytes(20)) -> str:
    digest = hmac.digest(salt, host.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    "names",
    [
        "pacs-a.example",
        "PACS-A.Example",
        "other,pacs-a.example",
        "pacs-?.example",
        "*.example,!pacs-b.example",
        hashed("pacs-a.example"),
    ],
)
def test_a_line_that_names_the_node(tmp_path: Path, names: str) -> None:
    """Plain, in a list, by pattern and hashed, as ssh-keyscan and ssh write them."""
    (tmp_path / "known").write_text(f"{names} {line()} comment\n")
    assert pins_of("a", node(tmp_path / "known")).accepted == (HostKey("ssh-ed25519", blob("ssh-ed25519")),)


@pytest.mark.parametrize("names", ["pacs-b.example", "*,!pacs-a.example", "[pacs-a.example]:2222", hashed("pacs-b")])
def test_a_line_about_another_machine(tmp_path: Path, names: str) -> None:
    """A negated pattern, another port or another name is not this node."""
    (tmp_path / "known").write_text(f"{names} {line()}\n")
    with pytest.raises(NodeUnreachable, match=r"has no line for pacs-a\.example"):
        pins_of("a", node(tmp_path / "known"))


@pytest.mark.parametrize("names", ["[pacs-a.example]:2222", hashed("[pacs-a.example]:2222")])
def test_another_port_is_part_of_the_name(tmp_path: Path, names: str) -> None:
    """Two sshds on one machine are two hosts."""
    (tmp_path / "known").write_text(f"pacs-a.example {line(body=b'22')}\n{names} {line(body=b'2222')}\n")
    [key] = pins_of("a", node(tmp_path / "known", port=2222)).accepted
    assert key.blob.endswith(b"2222")


def test_only_signatures_of_the_pinned_types_are_offered(tmp_path: Path) -> None:
    """The node must present a key that can be compared; an RSA key never signs with SHA-1."""
    (tmp_path / "known").write_text(f"* {line('ssh-rsa')}\n* {line('ecdsa-sha2-nistp256')}\n* {line('ssh-dss')}\n")
    algorithms = pins_of("a", node(tmp_path / "known")).algorithms
    assert algorithms == ("ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


def test_a_key_in_the_inventory() -> None:
    """The comment that ssh-keyscan or a .pub file adds is no part of the key."""
    pins = pins_of("a", node(None, host_key=f"{line()} root@pacs-a"))
    pins.check(HostKey("ssh-ed25519", blob("ssh-ed25519")))
    with pytest.raises(NodeUnreachable, match="host key has changed"):
        pins.check(HostKey("ssh-ed25519", blob("ssh-ed25519", b"two")))


@pytest.mark.parametrize(
    "text", ["", "AAAA", "ssh-ed25519", "ssh-ed25519 ????", "ssh-dss AAAA", f"ssh-rsa {line().split()[1]}"]
)
def test_a_key_in_the_inventory_that_is_none(text: str) -> None:
    """A key whose blob is of another type than it says is not guessed at."""
    with pytest.raises(NodeUnreachable, match="not a public key of a type in use"):
        pins_of("a", node(None, host_key=text))


def test_a_fingerprint_is_what_ssh_keygen_prints() -> None:
    """A person compares it with the line at the node's console."""
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"
    assert HostKey("ssh-ed25519", base64.b64decode(key)).fingerprint == (
        "SHA256:qH8baHrA5X0qCBovKCZyM02Q7TFtK4GMqVgOo4TZJAE"
    )


@given(text=st.text(alphabet=string.printable + "é\x00|@[]", max_size=200))
def test_no_file_crashes_the_reading(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever stands in the file, it names keys or it does not."""
    path = tmp_path_factory.getbasetemp() / "known"
    path.write_text(text)
    with pytest.raises(NodeUnreachable):
        pins_of("a", node(path))
