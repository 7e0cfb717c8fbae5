"""What one reading of an object says of it, given what the ledger knows: sound, or in which way not.

Bit rot is other content under the same size and time of change; whoever writes a file changes its time.
"""

from typing import Any, Dict, NamedTuple, Optional

from maintainer.node import store_ledger as ledger
from maintainer.node.object_reading import DICOM

OURS = "sha256"


class Row(NamedTuple):
    """An object as the ledger has it. `sha256`: of the content that was last found good."""

    key: int
    path: str
    size: int
    kind: str
    algorithm: str
    digest: Optional[bytes]
    good: int
    mtime_ns: Optional[int]
    sha256: Optional[bytes]
    verdict: int


class Judgement(NamedTuple):
    """`word` is of `ledger.DEVIATIONS`, or "" for an object that is sound, which `sound` then says how."""

    word: str = ""
    evidence: Dict[str, Any] = {}
    sound: int = ledger.UNREAD


def algorithms(row):
    """Digests to compute in the one reading: the archive's only until it and ours came from the same bytes."""
    return [OURS] if row.sha256 or not row.digest or row.algorithm == OURS else [OURS, row.algorithm]


def judge(row, reading, now):
    word, evidence = reading.trouble
    if not word:
        word, evidence = _content(row, reading) or _form(row, reading)
    if not word:
        return Judgement(sound=_how_sound(row))
    return Judgement(word, dict(evidence, **_since(row, now)))


def _content(row, reading):
    """Compare with our baseline where there is one, else with the archive's digest, else with its size alone."""
    if reading.size != row.size:
        return "size", dict(_shape(row, reading), expected=row.size, found=reading.size)
    if row.sha256:
        if reading.digests[OURS] == row.sha256:
            return None
        return "bit-rot" if reading.mtime_ns == row.mtime_ns else "modified", _shape(row, reading)
    if row.digest and reading.digests[row.algorithm] != row.digest:
        return "digest", dict(_shape(row, reading), algorithm=row.algorithm)
    return None


def _form(row, reading):
    if row.kind == DICOM and reading.executable:
        return "executable-preamble", _shape(row, reading)
    if row.kind == DICOM and reading.header.why:
        return "header", {"why": reading.header.why, "offset": reading.header.offset, "size": reading.size}
    return "", {}


def _shape(row, reading):
    if row.kind != DICOM:
        return {"header": "not-an-object"}
    executable = {"looks_like": reading.executable} if reading.executable else {}
    return dict(executable, header=reading.header.why or "sound")


def _since(row, now):
    """How long ago it was last found good; nothing for one that never was."""
    return {"last_good_seconds_ago": max(0, now - row.good)} if row.good else {}


def _how_sound(row):
    if row.digest:
        return ledger.ARCHIVE
    return ledger.BASELINE if row.sha256 else ledger.BASELINED
