"""The public half of the key that the controller logs in with, to be written down on a node."""

import base64
import binascii
from datetime import timedelta
from pathlib import Path

from maintainer.errors import UsageError
from maintainer.links.deadline import Deadline
from maintainer.links.host_keys import ALGORITHMS
from maintainer.links.ssh_auth import signers
from maintainer.model.inventory import Node

_BOUND = 65_536
_NAME_IT = "name the public key's file: --public-key FILE"


def read_public_key(path: Path) -> str:
    """Read a file as ssh-keygen writes it; answers `TYPE BASE64`, without the comment.

    Raises:
        UsageError: it cannot be read, or is not one public key.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_BOUND).decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"the public key cannot be read: {error.strerror}", where=str(path), hint=_NAME_IT) from None
    if "PRIVATE KEY" in text:
        raise UsageError("this is the private key, which never leaves the controller", where=str(path), hint=_NAME_IT)
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1 or not _is_key(lines[0]):
        what = "this is not one public key of a type in use (ssh-ed25519, ecdsa-sha2-nistp…, ssh-rsa)"
        raise UsageError(what, where=str(path), hint="ssh-keygen -y -f PRIVATE-KEY > FILE writes it")
    return " ".join(lines[0][:2])


def public_key_of(name: str, node: Node) -> str:
    """Take the public half of the key that the inventory names, or of the only one that ssh-agent holds.

    Raises:
        UsageError: ssh-agent holds several.
        CouldNotLook: there is none, or it cannot be read.
    """
    with signers(name, node, Deadline(timedelta(seconds=10))) as keys:
        if len(keys) != 1:
            raise UsageError(f"ssh-agent holds {len(keys)} keys", where=name, hint=_NAME_IT)
        return f"{keys[0].get_name()} {keys[0].get_base64()}"


def _is_key(words: list[str]) -> bool:
    """Tell whether these are `TYPE BASE64 [comment]`; the blob repeats its type. Source: RFC 4253, 6.6."""
    kind, text = (*words, "", "")[:2]
    try:
        blob = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return False
    return kind in ALGORITHMS and blob.startswith(len(kind).to_bytes(4, "big") + kind.encode())
