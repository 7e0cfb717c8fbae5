"""Signed statements of how long the log is and what it ends in.

A checkpoint is a signed note: the origin, the number of records and the base64 hash of the last of them, each on a
line, an empty line, and a signature line. Source: C2SP signed-note and tlog-checkpoint (https://c2sp.org/). The hash is
the head of our chain, where a transparency log has the root of a Merkle tree.
"""

import base64
import hashlib
import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from maintainer.errors import LogError
from maintainer.intervention_log.chain import NO_HASH
from maintainer.intervention_log.durable_file import read_or_create, replace

SIGNING_KEY = "log-signing.key"
PUBLIC_KEY = "log-signing.pub"
LATEST = "checkpoint.txt"
ED25519 = b"\x01"

_NAME = re.compile(r"[^\s+]{1,200}")
_NOTE = re.compile(
    r"(?P<origin>[^\s+]+)\n(?P<size>0|[1-9]\d{0,17})\n(?P<root>[A-Za-z0-9+/]{43}=)\n\n(?P<seals>(— .+\n)+)"
)


class Checkpoint(NamedTuple):
    """The first `size` records of `origin` end in the hash `root`."""

    origin: str
    size: int
    root: str

    def text(self) -> str:
        root = base64.b64encode(bytes.fromhex(self.root)).decode()
        return f"{self.origin}\n{self.size}\n{root}\n"


def _from_base64(text: str) -> bytes:
    """Decode the one accepted spelling of some bytes; nothing for every other text."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return data if base64.b64encode(data).decode() == text else b""


class PublicKey(NamedTuple):
    """The key that checkpoints are checked with; its text is `name+id+base64`, on one line."""

    name: str
    raw: bytes

    @property
    def id(self) -> str:
        """Source: C2SP signed-note, "Signatures": the first four bytes of a hash over name, kind and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.raw).hexdigest()[:8]

    def text(self) -> str:
        return f"{self.name}+{self.id}+{base64.b64encode(ED25519 + self.raw).decode()}"


def read_public_key(text: str, where: str) -> PublicKey:
    """Read a public key's text.

    Raises:
        LogError: it is not one, or was mistyped.
    """
    name, _, rest = text.strip().partition("+")
    _, _, coded = rest.partition("+")
    raw = _from_base64(coded)
    key = PublicKey(name, raw[1:])
    if raw[:1] != ED25519 or len(key.raw) != 32 or not _NAME.fullmatch(name) or key.text() != text.strip():  # noqa: PLR2004 (RFC 8032: a public key has 32 bytes)
        raise LogError(
            "this is not the public key of a log",
            where=where,
            hint=f"give the text of {PUBLIC_KEY}, one line like `site+1234abcd+AZx…`",
        )
    return key


class SigningKey:
    """The log's own key."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._name, self._seed = name, seed

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._seed)

    @cached_property
    def public(self) -> PublicKey:
        return PublicKey(self._name, self._key.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> str:
        """Write the note: the checkpoint's text and its signature."""
        text = checkpoint.text()
        seal = bytes.fromhex(self.public.id) + self._key.sign(text.encode())
        return f"{text}\n— {self._name} {base64.b64encode(seal).decode()}\n"


def signing_key(state: Path, name: str) -> SigningKey:
    """Read the log's key, made on first use, and see that its public half is the one that was pinned then.

    Raises:
        LogError: a key is missing or they do not belong together.
    """
    secret, public = state / SIGNING_KEY, state / PUBLIC_KEY
    if not secret.exists() and (public.exists() or (state / LATEST).exists()):
        raise LogError(
            "the log's signing key is gone, but what it signed is there",
            where=str(secret),
            hint="restore it from the backup of the state folder; a new key would end what the old one proves",
        )
    key = _parse_secret(read_or_create(secret, lambda: _new_secret(name)), name, secret)
    if not public.exists() and not (state / LATEST).exists():
        # Before the key is pinned: from then on, a log without a signed statement has lost it.
        replace(state / LATEST, key.sign(Checkpoint(name, 0, NO_HASH)).encode())
    pinned = read_or_create(public, f"{key.public.text()}\n".encode)
    if pinned.decode("utf-8", "replace").strip() != key.public.text():
        raise LogError(
            "the signing key does not belong to the public key that was pinned at first use",
            where=str(public),
            hint="one of the two was swapped: compare with your copy of the public key, restore both from a backup",
        )
    return key


def _new_secret(name: str) -> bytes:
    seed = Ed25519PrivateKey.generate().private_bytes_raw()
    return f"PRIVATE+{name}+{base64.b64encode(ED25519 + seed).decode()}\n".encode()


def _parse_secret(data: bytes, name: str, path: Path) -> SigningKey:
    prefix = f"PRIVATE+{name}+"
    raw = _from_base64(data.decode("ascii", "replace").strip().removeprefix(prefix))
    if raw[:1] != ED25519 or len(raw) != 33:  # noqa: PLR2004 (one byte of kind, then RFC 8032's 32 bytes of seed)
        raise LogError(
            f"this is not the signing key of {name!r}",
            where=str(path),
            hint="restore it from the backup of the state folder",
        )
    return SigningKey(name, raw[1:])


class Checker:
    """Reads signed notes and believes those of one key."""

    def __init__(self, key: PublicKey) -> None:
        self.key = key
        self._ed25519 = Ed25519PublicKey.from_public_bytes(key.raw)

    def read(self, note: str, where: str) -> Checkpoint:
        """Read a note that this key has signed.

        Raises:
            LogError: it is not a checkpoint, or not signed by this key.
        """
        match = _NOTE.fullmatch(note)
        if match is None:
            raise _doubt("this is not a signed checkpoint", where)
        text = note[: match.start("seals") - 1]
        if not any(self._signed(line, text) for line in match["seals"].splitlines()):
            raise _doubt(f"the checkpoint is not signed by the key {self.key.name} {self.key.id}", where)
        return Checkpoint(match["origin"], int(match["size"]), base64.b64decode(match["root"]).hex())

    def _signed(self, line: str, text: str) -> bool:
        name, _, coded = line.removeprefix("— ").partition(" ")
        seal = _from_base64(coded)
        if name != self.key.name or seal[:4].hex() != self.key.id:
            return False
        try:
            self._ed25519.verify(seal[4:], text.encode())
        except InvalidSignature:
            return False
        return True


def _doubt(what: str, where: str) -> LogError:
    hint = f"{LATEST} or {PUBLIC_KEY} was altered, or the log: compare each with a backup or an export"
    return LogError(what, where=where, hint=hint)
