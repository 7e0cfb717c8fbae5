"""Verify an intervention log without maintainer: Python 3.6 or later, nothing to install.

    python3 verifier.py interventions.jsonl [--key COPY-OF-log-signing.pub]

Says in one sentence whether the log is whole; ends with 0 if it is and 1 if not. It was written apart from the
product's own verification, so that the two would have to be wrong in the same way. `checkpoint.txt` and
`log-signing.pub` are looked for beside the log; only a key that you kept elsewhere proves that nobody rewrote it all.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

MAX_LINE = 64 * 1024
HEAD = re.compile(rb'\{"seq":([0-9]+),"prev":"([0-9a-f]{64})",')
SEAL = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n$')
SEAL_LENGTH = 76
NOTE = re.compile("([^\\s+]+)\n([0-9]+)\n([A-Za-z0-9+/]{43}=)\n\n((?:\u2014 [^\n]+\n)+)")


class WrongError(Exception):
    """The log is not what it says it is."""


class Checkpoint(NamedTuple):
    """The first `size` records of `origin` end in the hash `root`."""

    origin: str
    size: int
    root: str


class Point(NamedTuple):
    """A point of the curve: x = X/Z, y = Y/Z and x*y = T/Z. Source: RFC 8032, 5.1.4."""

    X: int
    Y: int
    Z: int
    T: int


# Ed25519. Source: RFC 8032, 5.1.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
KEY_LENGTH, SIGNATURE_LENGTH = 32, 64
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def add(a: Point, b: Point) -> Point:
    """Add two points."""
    low, high = (a.Y - a.X) * (b.Y - b.X) % P, (a.Y + a.X) * (b.Y + b.X) % P
    cross, depth = 2 * a.T * b.T * D % P, 2 * a.Z * b.Z % P
    e, f, g, h = high - low, depth - cross, depth + cross, high + low
    return Point(e * f % P, g * h % P, f * g % P, e * h % P)


def times(factor: int, point: Point) -> Point:
    """Add a point to itself `factor` times, by doubling."""
    total = Point(0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = add(total, point)
        point = add(point, point)
        factor >>= 1
    return total


def decode(data: bytes) -> Point:
    """Read a point: y, and in the top bit the sign of x. Source: RFC 8032, 5.1.3."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise ValueError("not a point of the curve")
    x = P - x if x & 1 != sign else x
    return Point(x, y, 1, x * y % P)


def encode(point: Point) -> bytes:
    """Write a point as `decode` reads it."""
    inverse = pow(point.Z, P - 2, P)
    x, y = point.X * inverse % P, point.Y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Check a signature. Source: RFC 8032, 5.1.7, without the cofactor."""
    if len(key) != KEY_LENGTH or len(signature) != SIGNATURE_LENGTH:
        return False
    s = int.from_bytes(signature[32:], "little")
    try:
        minus_key = decode(key[:31] + bytes([key[31] ^ 128]))
    except ValueError:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return s < ORDER and encode(add(times(s, BASE), times(challenge, minus_key))) == signature[:32]


def from_base64(text: str) -> bytes:
    """Decode the one accepted spelling of some bytes; nothing for every other text."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return data if base64.b64encode(data).decode() == text else b""


class Key:
    """A public key, `name+id+base64`."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text.strip()
        name, _, rest = self.text.partition("+")
        self.id, _, coded = rest.partition("+")
        raw = from_base64(coded)
        self.name, self.raw = name, raw[1:]
        if (
            len(self.raw) != KEY_LENGTH
            or raw[0] != 1
            or self.id != hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
        ):
            raise WrongError(f"{where}: this is not the public key of a log")

    def read(self, note: str, where: str) -> Checkpoint:
        """Read a signed checkpoint: origin, size and root."""
        match = NOTE.fullmatch(note)
        if match is None:
            raise WrongError(f"{where}: this is not a signed checkpoint")
        text = note[: match.start(4) - 1].encode()
        if not any(self.signed(line, text) for line in match.group(4).splitlines()):
            raise WrongError(f"{where}: the checkpoint is not signed by the key {self.name} {self.id}")
        return Checkpoint(match.group(1), int(match.group(2)), base64.b64decode(match.group(3)).hex())

    def signed(self, line: str, text: bytes) -> bool:
        """Tell whether a signature line is this key's."""
        name, _, coded = line[2:].partition(" ")
        seal = from_base64(coded)
        return name == self.name and seal[:4].hex() == self.id and is_signed(self.raw, text, seal[4:])


class Log:
    """One reading of a log from its first byte to its last."""

    def __init__(self, path: Path, key: "Key | None", latest: "Checkpoint | None") -> None:
        self.path, self.key, self.latest = path, key, latest
        self.size, self.root, self.offset = 0, "0" * 64, 0
        self.checkpoints, self.root_at_latest = 0, "0" * 64

    def read(self) -> None:
        """Read all records."""
        with self.path.open("rb") as file:
            for line in iter(lambda: file.readline(MAX_LINE + 1), b""):
                self.take(line)
        if self.latest is None and (self.checkpoints or self.key):
            raise WrongError("checkpoint.txt: the last signed checkpoint is gone")
        if self.latest is not None:
            self.compare(self.latest.size, self.latest.root)

    def take(self, line: bytes) -> None:
        """Read one record: its bytes must give its hash, and it must follow the record before."""
        head, seal = HEAD.match(line), SEAL.search(line)
        body = line[:-SEAL_LENGTH]
        digest = hashlib.sha256(body).hexdigest()
        if head is None or seal is None or seal.group(1).decode() != digest:
            raise WrongError(f"{self.place()}: this record was edited, damaged or torn: its bytes do not give its hash")
        if int(head.group(1)) != self.size + 1 or head.group(2).decode() != self.root:
            seq = head.group(1).decode()
            raise WrongError(f"{self.place()}: record {seq} stands here and does not follow record {self.size}")
        if b'"kind":"checkpoint"' in body:
            self.take_checkpoint(line)
        self.size, self.root, self.offset = self.size + 1, digest, self.offset + len(line)
        if self.latest is not None and self.latest.size == self.size:
            self.root_at_latest = digest

    def take_checkpoint(self, line: bytes) -> None:
        """Check that a checkpoint signs exactly what stands before it."""
        try:
            record = json.loads(line.decode())
        except (ValueError, RecursionError):
            raise WrongError(f"{self.place()}: this is not a record") from None
        if record.get("kind") != "checkpoint":
            return
        if self.key is None:
            raise WrongError(f"{self.path.name}: the log is signed and its public key is not here: give it with --key")
        if self.key.read(str(record.get("text")), self.place()) != (record.get("origin"), self.size, self.root):
            raise WrongError(f"{self.place()}: the log was rewritten: this checkpoint signs other records")
        self.checkpoints += 1

    def compare(self, size: int, root: str) -> None:
        """Compare what is there with what was signed last."""
        if size > self.size:
            raise WrongError(f"{self.place()}: the log was cut: {size} records were signed, {self.size} are there")
        if root != self.root_at_latest:
            raise WrongError(f"{self.path.name}:{size}: the log was rewritten: the last checkpoint signs other records")

    def place(self) -> str:
        """Say where the next record begins."""
        return f"{self.path.name}:{self.size + 1}: byte {self.offset}, record {self.size + 1}"


def beside(path: Path, name: str) -> "str | None":
    """Read a file that lies beside the log."""
    other = path.with_name(name)
    return other.read_bytes().decode("utf-8", "replace") if other.exists() else None


def verify(path: Path, trusted: "Path | None") -> str:
    """Verify a log and say what was found."""
    text = beside(path, "log-signing.pub")
    key = Key(text, "log-signing.pub") if text is not None else None
    if trusted is not None:
        kept = Key(trusted.read_bytes().decode("utf-8", "replace"), str(trusted))
        if key is not None and key.text != kept.text:
            raise WrongError(f"log-signing.pub: the key was swapped: {key.id} is not the trusted {kept.id}")
        key = kept
    note = beside(path, "checkpoint.txt")
    if note is not None and key is None:
        raise WrongError("log-signing.pub: the log's public key is gone")
    log = Log(path, key, key.read(note, "checkpoint.txt") if key is not None and note is not None else None)
    log.read()
    by = f"{log.checkpoints} checkpoints signed by {key.name} {key.id}" if key is not None else "no checkpoint"
    return f"{path.name} is whole: {log.size} records, {by}, the last hash is {log.root}."


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="Verify an intervention log.")
    parser.add_argument("log", type=Path, help="interventions.jsonl")
    parser.add_argument("--key", type=Path, help="a copy of log-signing.pub that was kept elsewhere")
    chosen = parser.parse_args()
    try:
        said, code = verify(chosen.log, chosen.key), 0
    except (WrongError, OSError) as error:
        said, code = f"NOT WHOLE: {error}", 1
    sys.stdout.write(said + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
