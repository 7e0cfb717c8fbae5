"""The hash chain: how a line is sealed, and how a broken chain is told from a whole one. Pure.

A line is `{"seq":N,"prev":"HEX",…,"hash":"HEX"}`. Its hash is the SHA-256 of the line's own bytes as far as `,"hash"`,
and the next line repeats it as `prev`. Verifying therefore never parses or rewrites JSON: it hashes bytes as they stand
and compares fixed places.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice
from pathlib import PurePath
from typing import NamedTuple

from maintainer.errors import LogError

MAX_LINE = 64 * 1024
NO_HASH = "0" * 64
SEAL = len(',"hash":""}\n') + 64

_HEAD = re.compile(rb'\{"seq":([1-9]\d{0,17}),"prev":"([0-9a-f]{64})",')


class Link(NamedTuple):
    """A record's place in the chain. `end` is the byte offset just after its line."""

    seq: int
    hash: str
    end: int
    line: bytes


GENESIS = Link(0, NO_HASH, 0, b"")


class Verified(NamedTuple):
    """A whole chain: how many records, and the hash of the last one."""

    size: int
    root: str


class Break(StrEnum):
    """What happened to a chain, as far as it can be told from what is left of it."""

    EDITED = "edited"
    DELETED = "deleted"
    REORDERED = "reordered"
    DUPLICATED = "duplicated"
    FORKED = "forked"
    INSERTED = "inserted"
    REPLACED = "replaced"
    TORN = "torn"


class ChainBroken(LogError):
    """The chain breaks at this line (from 1), which starts at this byte, where record `seq` was expected."""

    def __init__(self, what: str, *, how: Break, line: int, offset: int, seq: int) -> None:
        super().__init__(
            what,
            where=f"line {line}, byte {offset}, record {seq}",
            hint="keep this file as it is and compare it with a backup or an export: from here on it proves nothing",
        )
        self.how, self.line, self.offset, self.seq = how, line, offset, seq

    def locate(self, path: PurePath) -> None:
        """Say in which file."""
        self.where = f"{path}:{self.line}: byte {self.offset}, record {self.seq}"


def seal(body: bytes) -> tuple[bytes, str]:
    """Close a record's JSON with its hash; answers the line and the hash."""
    digest = hashlib.sha256(body).hexdigest()
    return body + b',"hash":"%b"}\n' % digest.encode(), digest


def walk(lines: Iterable[bytes], after: Link = GENESIS) -> Iterator[Link]:
    """Follow the chain, vouching for each line before it is handed on.

    `lines` must be iterable a second time: a broken chain is read again to say how it broke.

    Raises:
        ChainBroken: at the first line that does not follow.
    """
    seq, prev, end, _ = after
    sha256 = hashlib.sha256
    for line in lines:
        seq += 1
        head = b'{"seq":%d,"prev":"%b",' % (seq, prev.encode())
        digest = sha256(line[:-SEAL]).hexdigest()
        if not line.startswith(head) or line[-SEAL:] != b',"hash":"%b"}\n' % digest.encode():
            raise _diagnosed(lines, after, Link(seq, prev, end, line))
        end += len(line)
        prev = digest
        yield Link(seq, digest, end, line)


def verify_lines(lines: Iterable[bytes]) -> Verified:
    """Vouch for a whole log.

    Raises:
        ChainBroken: saying where and, as far as it can be told, how.
    """
    last = GENESIS
    for last in walk(lines):  # noqa: B007 (only the end is wanted; deque(maxlen=1) says it less plainly)
        pass
    return Verified(last.seq, last.hash)


def read_link(line: bytes, end: int) -> Link | None:
    """Find a line's place by itself; None unless its own seal is whole."""
    head, digest = _HEAD.match(line), hashlib.sha256(line[:-SEAL]).hexdigest()
    if head is None or line[-SEAL:] != b',"hash":"%b"}\n' % digest.encode():
        return None
    return Link(int(head[1]), digest, end, line)


def _follows(line: bytes, wanted: Link) -> bool:
    """Tell whether this line is the record that was wanted: right number, right predecessor, own seal whole."""
    head = _HEAD.match(line)
    is_next = head is not None and int(head[1]) == wanted.seq and head[2].decode() == wanted.hash
    return is_next and read_link(line, 0) is not None


def _diagnosed(lines: Iterable[bytes], after: Link, wanted: Link) -> ChainBroken:
    """Say how the chain broke. `wanted` is the expected number and predecessor, the offset, and what stands there."""
    found = read_link(wanted.line, 0)
    place = wanted.seq - after.seq
    later = any(_follows(line, wanted) for line in islice(lines, place, None))
    if found is None:
        how, what = _unsound(wanted, later=later)
    elif found.seq > wanted.seq:
        how, what = _too_high(found, wanted, later=later)
    elif found.seq == wanted.seq:
        how = Break.REPLACED
        what = f"record {wanted.seq} does not follow the record before it: one of the two was replaced"
    else:
        how, what = _too_low(found, next(islice(lines, max(0, found.seq - after.seq - 1), None), b""))
    return ChainBroken(what, how=how, line=wanted.seq, offset=wanted.end, seq=wanted.seq)


def _unsound(wanted: Link, *, later: bool) -> tuple[Break, str]:
    if later:
        return Break.INSERTED, f"a line that is not of this log was put in before record {wanted.seq}"
    if not wanted.line.endswith(b"\n"):
        return Break.TORN, f"the log ends in the middle of a record ({len(wanted.line)} bytes of it are there)"
    return Break.EDITED, f"record {wanted.seq} was edited or damaged: its bytes do not give its hash"


def _too_high(found: Link, wanted: Link, *, later: bool) -> tuple[Break, str]:
    if later:
        return Break.REORDERED, f"record {found.seq} stands where record {wanted.seq} belongs, which comes later"
    last = found.seq - 1
    missing = f"record {wanted.seq} is" if last == wanted.seq else f"records {wanted.seq} to {last} are"
    return Break.DELETED, f"{missing} missing before record {found.seq}"


def _too_low(found: Link, earlier: bytes) -> tuple[Break, str]:
    if earlier == found.line:
        return Break.DUPLICATED, f"record {found.seq} stands here a second time"
    return Break.FORKED, f"a second, different record {found.seq} stands here: the chain forks at line {found.seq}"
