"""Whether a line is a public host key."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from maintainer.inventory_file.host_key import fault

KEYS = {
    "ssh-ed25519": ed25519.Ed25519PrivateKey.generate().public_key(),
    "ecdsa-sha2-nistp256": ec.generate_private_key(ec.SECP256R1()).public_key(),
    "ecdsa-sha2-nistp384": ec.generate_private_key(ec.SECP384R1()).public_key(),
    "ecdsa-sha2-nistp521": ec.generate_private_key(ec.SECP521R1()).public_key(),
    "ssh-rsa": rsa.generate_private_key(65537, 2048).public_key(),
}
LINES = {kind: key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() for kind, key in KEYS.items()}


@pytest.mark.parametrize("kind", LINES)
def test_a_real_key_is_accepted(kind: str) -> None:
    """Keys as servers have them pass, with their comment or without."""
    assert LINES[kind].startswith(kind)
    assert fault(LINES[kind]) == ""
    assert fault(f"{LINES[kind]} root@pacs-a") == ""


def test_the_newer_names_of_rsa_are_accepted() -> None:
    """The block of an RSA key says ssh-rsa, whichever signature is meant."""
    assert fault(LINES["ssh-rsa"].replace("ssh-rsa", "rsa-sha2-512")) == ""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("", "this is not a public host key", id="nothing"),
        pytest.param(LINES["ssh-ed25519"].split()[1], "this is not a public host key", id="block alone"),
        pytest.param(f"{LINES['ssh-ed25519']}\n{LINES['ssh-rsa']}", "this is not a public host key", id="two lines"),
        pytest.param(f"pacs-a {LINES['ssh-ed25519']}", "leave out the host name", id="host name first"),
        pytest.param("ssh-dss AAAAB3NzaC1kc3M=", "keys of this kind are not accepted", id="kind of old"),
        pytest.param(LINES["ssh-ed25519"][:-3], "the key is cut short or damaged", id="a character lost"),
        pytest.param(LINES["ssh-ed25519"][:60], "the key is cut short or damaged", id="half of it"),
        pytest.param("ssh-ed25519 AAAA!", "the key is cut short or damaged", id="not base64"),
        pytest.param(
            f"ssh-rsa {LINES['ssh-ed25519'].split()[1]}", "the key is not a whole ssh-rsa key", id="wrong kind rsa"
        ),
        pytest.param(
            f"ssh-ed25519 {LINES['ssh-rsa'].split()[1]}",
            "the key is not a whole ssh-ed25519 key",
            id="wrong kind ed25519",
        ),
        pytest.param(
            f"ecdsa-sha2-nistp384 {LINES['ecdsa-sha2-nistp256'].split()[1]}",
            "the key is not a whole ecdsa-sha2-nistp384",
            id="wrong curve",
        ),
        pytest.param(
            f"ssh-ed25519 {base64.b64encode(bytes(4)).decode()}",
            "the key is not a whole ssh-ed25519 key",
            id="empty block",
        ),
        pytest.param("-----BEGIN OPENSSH PRIVATE KEY----- AAAA", "this is a private key", id="private"),
    ],
)
def test_anything_else_is_told_apart(line: str, says: str) -> None:
    """Each slip that people make has its own answer."""
    assert fault(line).startswith(says)
