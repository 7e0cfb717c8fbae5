"""The keys by which the practice node and its one client know each other, in OpenSSH's file formats."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from maintainer.practice.layout import ADDRESS, Layout


def make_keys(layout: Layout, ssh_port: int) -> None:
    """Make host key and client key, and let each side pin the other's."""
    host_key = _make_key(layout.host_key)
    layout.known_hosts.write_text(f"[{ADDRESS}]:{ssh_port} {host_key}\n", "ascii")
    layout.authorized_keys.write_text(_make_key(layout.client_key) + "\n", "ascii")


def public_host_key(layout: Layout) -> str:
    """Read the host's public key as an inventory pins it: `ssh-ed25519 AAAA…`."""
    return layout.known_hosts.read_text("ascii").split(" ", 1)[1].strip()


def make_password(file: Path) -> None:
    write_private(file, secrets.token_urlsafe(24).encode("ascii") + b"\n")


def read_password(file: Path) -> str:
    return file.read_text("ascii").strip()


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as target:
        target.write(content)


def _make_key(file: Path) -> str:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    write_private(file, private)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode("ascii")
