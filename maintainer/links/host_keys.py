"""Which public keys a node may prove itself by: pinned in the inventory, or named by a known_hosts file.

Source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"; RFC 4253, 6.6; RFC 8332.
"""

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from maintainer.errors import NodeUnreachable
from maintainer.model.inventory import Node

_BOUND = 16_000_000
_PORT = 22

ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
"""Type of key → signatures accepted from it, best first. An RSA key is fine; its SHA-1 signature is not."""


@dataclass(frozen=True)
class HostKey:
    """A public key: its type, and the blob that SSH sends for it."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -lf` prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.kind} {self.fingerprint}"


@dataclass(frozen=True)
class Pins:
    """The keys that a node may prove itself by, those it must not, and where both are written."""

    node: str
    source: str
    accepted: tuple[HostKey, ...]
    revoked: tuple[HostKey, ...]
    remedy: str

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What to offer, so that the node presents a key that can be compared: best first."""
        kinds = {key.kind for key in self.accepted}
        return tuple(name for kind, names in ALGORITHMS.items() if kind in kinds for name in names)

    def check(self, presented: HostKey) -> None:
        """Compare what the node presented with what is written.

        Raises:
            NodeUnreachable: the key is revoked, or another one than written.
        """
        if presented in self.revoked:
            raise NodeUnreachable(
                f"the node presented a host key that {self.source} revokes ({presented})",
                where=self.node,
                hint="do not connect by any other way either; find out which machine answers at this address",
            )
        if presented in self.accepted:
            return
        written = ", ".join(str(key) for key in self.accepted if key.kind == presented.kind)
        raise NodeUnreachable(
            f"the host key has changed: {self.source} says {written}, the node presented {presented}",
            where=self.node,
            hint="somebody may be in between, or sshd was installed anew. Compare the fingerprint at the node's own "
            f"console (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub); only if it is the same, {self.remedy}",
        )


def pins_of(name: str, node: Node) -> Pins:
    """Read which keys the node may present.

    Raises:
        NodeUnreachable: none is written, or what is written cannot be used.
    """
    if node.ssh.host_key is not None:
        return _pinned(name, node, node.ssh.host_key)
    if node.ssh.known_hosts is not None:
        return _known(name, node, Path(node.ssh.known_hosts))
    remedy = f"write its output line from the key type on as nodes.{name}.ssh.host_key"
    raise NodeUnreachable("no host key is written for this node", where=name, hint=_how_to_learn(node, remedy))


def _how_to_learn(node: Node, remedy: str) -> str:
    """Say how to get the key, and that seeing it on the network proves nothing yet."""
    return (
        f"run: ssh-keyscan -T 5 -p {node.ssh.port} -t ed25519,ecdsa,rsa {node.address}; compare its fingerprint "
        f"(ssh-keygen -lf -) with one read at the node's own console; then {remedy}"
    )


def _pinned(name: str, node: Node, text: str) -> Pins:
    remedy = f"write the new key as nodes.{name}.ssh.host_key"
    key = _parse(text.split())
    if key is None:
        raise NodeUnreachable(
            f"nodes.{name}.ssh.host_key is not a public key of a type in use (ssh-ed25519, ecdsa-sha2-nistp…, ssh-rsa)",
            where=name,
            hint=_how_to_learn(node, f"write its output line from the key type on as nodes.{name}.ssh.host_key"),
        )
    return Pins(name, f"nodes.{name}.ssh.host_key", (key,), (), remedy)


def _known(name: str, node: Node, path: Path) -> Pins:
    host = node.address.lower() if node.ssh.port == _PORT else f"[{node.address.lower()}]:{node.ssh.port}"
    lines = list(_lines_for(host, _read(name, node, path)))
    revoked = tuple(key for marker, key in lines if marker == "@revoked" and key)
    accepted = tuple(key for marker, key in lines if not marker and key and key not in revoked)
    if not accepted:
        raise NodeUnreachable(
            f"{path} {_why_none([marker for marker, _ in lines])} {host}",
            where=name,
            hint=_how_to_learn(node, f"append the line `{host} TYPE KEY` to {path}"),
        )
    return Pins(name, str(path), accepted, revoked, f"replace the node's line in {path}")


def _why_none(markers: list[str]) -> str:
    if "@revoked" in markers:
        return "only revokes keys for"
    if "@cert-authority" in markers:
        return "names a certificate authority, which is not supported, and no key for"
    return "has no key of a usable type for" if markers else "has no line for"


def _read(name: str, node: Node, path: Path) -> str:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(_BOUND + 1)
    except OSError as error:
        raise NodeUnreachable(
            f"the known_hosts file {path} cannot be read: {os.strerror(error.errno or 0)}",
            where=name,
            hint=_how_to_learn(node, f"write its line into {path}"),
        ) from None
    if status.st_mode & stat.S_IWOTH:
        raise NodeUnreachable(f"anybody may change {path}", where=name, hint=f"chmod o-w {path}, and check its content")
    if len(content) > _BOUND:
        raise NodeUnreachable(
            f"{path} is larger than {_BOUND:,} bytes", where=name, hint="name a known_hosts file in the inventory"
        )
    return content.decode("utf-8", "replace")


def _lines_for(host: str, text: str) -> Iterator[tuple[str, HostKey | None]]:
    """Yield the marker and the key of each line that names the host; no key where it is of no use to us."""
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if words and _names(words[0], host):
            yield marker, _parse(words[1:])


def _names(patterns: str, host: str) -> bool:
    """Tell whether the first field of a line names the host; a negated pattern that matches excludes it.

    >>> _names("pacs-*,!pacs-b", "pacs-a"), _names("pacs-*,!pacs-b", "pacs-b"), _names("[10.0.0.5]:22", "10.0.0.5")
    (True, False, False)
    """
    if patterns.startswith("|1|"):
        return _is_hash_of(patterns, host)
    found = False
    for pattern in patterns.lower().split(","):
        # `[` stands for itself here: it opens the form [host]:port.
        if fnmatchcase(host, pattern.removeprefix("!").replace("[", "[[]")):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _is_hash_of(field: str, host: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in field.removeprefix("|1|").split("|"))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.digest(salt, host.encode(), "sha1"), digest)


def _parse(words: list[str]) -> HostKey | None:
    """Read `TYPE BASE64 [comment]`; the blob repeats its type, and a line where they differ is of no use.

    Source: RFC 4253, 6.6.
    """
    kind, text, *_ = *words, "", ""
    if kind not in ALGORITHMS:
        return None
    try:
        blob = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return HostKey(kind, blob) if blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()) else None
