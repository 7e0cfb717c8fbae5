"""An object as the ledger has it: a row, and what the columns mean that hold more than one thing."""

import hashlib
from typing import NamedTuple, Optional, Union

from maintainer.node.object_reading import ALGORITHMS, KINDS
from maintainer.node.store_rows import FIRST_DEVIATION, UNKNOWN, UNREAD, name_of, path_of

_PREFIX, _OURS = 4, 32
_NO_DIGEST, _NO_UID = 1, 2
_UID = 8
_SELECT = """
SELECT key, name, size, form, proof, looked, mtime_ns, verdict,
    CASE WHEN verdict >= ? THEN (SELECT good FROM deviations WHERE deviations.key = objects.key) END
FROM objects
"""
"""In the order of `Row`. It is told which verdict is the first that deviates."""
_SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}


class Row(NamedTuple):
    """An object as the ledger has it. `looked` and `noted` are turns, `noted` that of a deviating one's good reading.

    `proof` is the archive's digest until the object was read, then its first bytes and our SHA-256: what was once
    found in one reading to have both is proven by either.
    """

    key: int
    name: Union[bytes, str]
    size: int
    form: int
    proof: bytes
    looked: int
    mtime_ns: int
    verdict: int
    noted: Optional[int]

    @property
    def path(self):
        return path_of(self.name)

    @property
    def kind(self):
        return KINDS[self.form // 4 // len(ALGORITHMS)]

    @property
    def algorithm(self):
        return ALGORITHMS[self.form // 4 % len(ALGORITHMS)]

    @property
    def has_digest(self):
        """Whether the archive keeps one."""
        return not self.form & _NO_DIGEST

    @property
    def digest(self):
        """The archive's, as long as it is needed."""
        return self.proof[: _SIZES[self.algorithm]] if self.has_digest and self.mtime_ns == UNKNOWN else None

    @property
    def uid(self):
        """As `of_uid` gives it, of the instance that the index says it is, until it was found to be that one."""
        if self.form & _NO_UID or self.mtime_ns != UNKNOWN:
            return None
        first = _SIZES[self.algorithm]
        return self.proof[first : first + _UID]

    @property
    def sha256(self):
        """Of the content that was last found good; None before there was one."""
        return None if self.mtime_ns == UNKNOWN else self.proof[_PREFIX:]

    @property
    def good(self):
        """The turn in which it was last found good, or None."""
        return self.noted if self.verdict >= FIRST_DEVIATION else (self.looked if self.verdict > UNREAD else None)

    def read_with(self, sha256):
        """The proof from now on."""
        return self.proof[:_PREFIX] + sha256


def rows(opened, which, *values):
    """Give the objects of a ledger for which the end of a statement asks."""
    return [Row._make(fields) for fields in opened.execute(_SELECT + which, (FIRST_DEVIATION, *values))]


def indexed(path, size, kind, algorithm, digest, *, uid=None):
    """Give (name, size, form, proof) of an object that was not read yet; `uid` as `of_uid` gives it."""
    form = 4 * (KINDS.index(kind) * len(ALGORITHMS) + ALGORITHMS.index(algorithm))
    form += (_NO_DIGEST if digest is None else 0) + (_NO_UID if uid is None else 0)
    first = _SIZES[algorithm]
    proof = (digest or b"")[:first].ljust(first, b"\0") + (uid or b"")
    return name_of(path), size, form, proof.ljust(_PREFIX + _OURS, b"\0")


def of_uid(uid):
    """What is told and kept of a SOP instance UID: enough to notice another one."""
    return hashlib.sha256(uid).digest()[:_UID]


def is_same(known, told):
    """Whether an index that lists `told` now lists what it listed before; each as `indexed` gives it.

    Four bytes of a digest will do: of an object that is taken for the same and is not, the content is told.
    """
    return known[:3] == told[:3] and known[3][:_PREFIX] == told[3][:_PREFIX]
