"""What one reading of an object says of it, given what the ledger knows: sound, or in which way not.

Bit rot is other content under the same size and time of change; whoever writes a file changes its time.
"""

from typing import Any, Dict, NamedTuple, Tuple

from maintainer.node.object_reading import DICOM, OTHER_INSTANCE
from maintainer.node.store_ledger import DEVIATIONS_OF_CONTENT
from maintainer.node.store_objects import of_uid
from maintainer.node.store_rows import ARCHIVE, BASELINE, BASELINED, UNREAD, storable

OURS = "sha256"
_SOUND: Tuple[str, Dict[str, Any]] = ("", {})


class Judgement(NamedTuple):
    """`word` is of `ledger.DEVIATIONS`, or "" for an object that is sound, which `sound` then says how."""

    word: str = ""
    evidence: Dict[str, Any] = {}
    sound: int = UNREAD

    @property
    def has_baseline(self):
        """Whether the content is what it was: it may have a form that it should not have, but is the instance."""
        is_other = OTHER_INSTANCE in (self.evidence.get("why"), self.evidence.get("header"))
        return self.word not in DEVIATIONS_OF_CONTENT and not is_other


def algorithms(row):
    """Digests to compute in the one reading: the archive's only until it and ours came from the same bytes."""
    return [OURS] if row.sha256 or not row.has_digest or row.algorithm == OURS else [OURS, row.algorithm]


def judge(row, reading):
    word, evidence = reading.trouble
    if not word and not reading.known:
        word, evidence = _content(row, reading) or _form(row, reading) or _SOUND
    if not word:
        return Judgement(sound=_how_sound(row))
    return Judgement(word, evidence)


def _content(row, reading):
    """Compare with our baseline where there is one, else with the archive's digest, else with its size alone."""
    if reading.size != row.size:
        return "size", dict(_shape(row, reading), expected=row.size, found=reading.size)
    known = row.sha256
    if known:
        if reading.digests[OURS] == known:
            return None
        return "bit-rot" if storable(reading.mtime_ns) == row.mtime_ns else "modified", _shape(row, reading)
    if row.has_digest and reading.digests[row.algorithm] != row.digest:
        return "digest", dict(_shape(row, reading), algorithm=row.algorithm)
    return None


def _form(row, reading):
    if row.kind != DICOM:
        return None
    why, uid = reading.header.why, row.uid
    is_other = uid and not why and of_uid(reading.header.uid) != uid
    if reading.executable:
        return "executable-preamble", dict(_shape(row, reading), **({"header": OTHER_INSTANCE} if is_other else {}))
    if why:
        return "header", {"why": why, "offset": reading.header.offset, "size": reading.size}
    return ("header", {"why": OTHER_INSTANCE, "size": reading.size}) if is_other else None


def _shape(row, reading):
    # Where no archive knows what it should be, a person may accept what it is.
    content = {} if row.has_digest else {"sha256": reading.digests[OURS].hex()}
    if row.kind != DICOM:
        return dict(content, header="not-an-object")
    executable = {"looks_like": reading.executable} if reading.executable else {}
    return dict(content, **dict(executable, header=reading.header.why or "sound"))


def _how_sound(row):
    if row.has_digest:
        return ARCHIVE
    return BASELINE if row.sha256 else BASELINED
