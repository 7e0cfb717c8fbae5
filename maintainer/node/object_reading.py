"""Compare one object of the store with what the index says of it, reading it once.

Verdicts: missing, unreadable, size, digest, header, executable-preamble. Evidence is numbers and fixed words only; that
of `header` is of `dicom_header.WORDS`, or `other-instance`.
"""

import errno
import hashlib
import os
import time
from typing import Any, Dict, NamedTuple, Tuple

from maintainer.node import dicom_header
from maintainer.node.dicom_layout import Layouts
from maintainer.node.dicom_window import Verdict
from maintainer.node.object_opening import AT_ONCE, Opened

KINDS = (DICOM, OTHER) = ("dicom", "other")
ALGORITHMS = ("md5", "sha1", "sha256", "sha384", "sha512")
# A preamble that an operating system or a viewer would run is where malware hides in an image that viewers still show.
_EXECUTABLE = ((b"MZ", "mz"), (b"\x7fELF", "elf"), (b"#!", "script"))
_PDF = b"%PDF-"  # which viewers of it find anywhere in the first kilobyte
_WORDS = {errno.ELOOP: "symlink", errno.EACCES: "not-permitted", errno.EPERM: "not-permitted", errno.EIO: "io-error"}
_PREAMBLE = 128
_TRIES = 2
OTHER_INSTANCE = "other-instance"
_NOT_FOR_SECURITY: Any = {"usedforsecurity": False}  # a keyword of Python 3.9, which those machines have


class Indexed(NamedTuple):
    """What the archive's index says of an object; `uid` is its SOP instance UID where the index has one."""

    key: object
    path: str
    size: int
    algorithm: str
    digest: object
    kind: str = DICOM
    uid: object = None


class Reading(NamedTuple):
    """What one pass over a file gave; `trouble` is a verdict and its evidence where there was no such pass.

    `known`: it is content that was found sound before, whose beginning and structure were not looked at again.
    """

    size: int = 0
    digests: Dict[str, bytes] = {}
    first: bytes = b""
    header: Verdict = Verdict("", 0)
    mtime_ns: int = 0
    trouble: Tuple[str, Dict[str, str]] = ("", {})
    known: bool = False

    def unsound(self, uid=None):
        """Say in a word what is wrong with its structure, or that it is not the instance of this UID."""
        if self.header.why or not uid or self.header.uid == uid.encode("utf-8", "surrogatepass"):
            return self.header.why
        return OTHER_INSTANCE

    @property
    def executable(self):
        """What an operating system or a viewer would take it for, or nothing."""
        if not self.first.strip(b"\0"):
            return ""
        found = next((word for magic, word in _EXECUTABLE if self.first.startswith(magic)), "")
        return found or ("pdf" if _PDF in self.first else "")


class Reader:
    """Reads objects one after another, and is of one thread. `pace` is told of each part read."""

    def __init__(self, store, top, deadline, pace=None):
        self._store, self._top, self._deadline, self._pace = store, top, deadline, pace
        self._buffer, self._layouts = memoryview(bytearray(AT_ONCE)), Layouts()

    def compare(self, indexed):
        """Give (bytes read, deviations), or None when the time was over first."""
        reading = self.read(indexed.path, [indexed.algorithm] if indexed.digest else [])
        return reading and (reading.size, list(_deviations(indexed, reading)))

    def read(self, path, algorithms, sound=None):
        """Open an object and read it."""
        return self.read_opened(self.open(path), algorithms, sound)

    def open(self, path):
        """Open an object whose turn comes soon; `read_opened` lets it go, and who does not have it read drops it."""
        try:
            return Opened(self._store.open_object(self._top, path))
        except ValueError:
            return NotOpened(_no_reading("path-refused"))
        except (FileNotFoundError, NotADirectoryError):
            return NotOpened(Reading(trouble=("missing", {})))
        except OSError as error:
            return NotOpened(_no_reading(_WORDS.get(error.errno or 0, "error")))

    def read_opened(self, opened, algorithms, sound=None):
        """Read an object once, for every digest that is asked for; None when the time was over first.

        Content of the SHA-256 `sound` has been found sound before.
        """
        if isinstance(opened, NotOpened):
            return opened.reading
        try:
            return self._tried(opened, algorithms, sound)
        except OSError as error:
            return _no_reading(_WORDS.get(error.errno or 0, "error"))
        finally:
            opened.let_go()

    def _tried(self, opened, algorithms, sound):
        if not opened.is_file:
            return _no_reading("not-a-file")
        before = opened.status
        for _ in range(_TRIES):
            reading = self._pass(opened, before, algorithms, sound)
            after = os.fstat(opened.descriptor)
            if reading is None or _same(before, after, reading.size):
                return reading
            before = after
        return _no_reading("changing")._replace(size=reading.size)

    def _pass(self, opened, status, algorithms, sound):
        hashers = {algorithm: hasher(algorithm) for algorithm in algorithms}
        buffer = self._buffer
        size = held = count = opened.begin(buffer)
        first = bytes(buffer[: min(count, _PREAMBLE)])
        while True:
            if size < status.st_size:
                opened.fetch(size)
            for each in hashers.values():
                each.update(buffer[:count])
            if self._pace:
                self._pace(count)
            if self._deadline.passed():
                return None
            # What it has grown by since is noticed by its status afterwards.
            count = opened.read_on(buffer) if size < status.st_size else 0
            if not count:
                break
            size += count
        digests = {algorithm: each.digest() for algorithm, each in hashers.items()}
        if sound is not None and digests.get("sha256") == sound:
            return Reading(size, digests, mtime_ns=status.st_mtime_ns, known=True)
        return Reading(size, digests, first, self._examined(opened, size, held), status.st_mtime_ns)

    def _examined(self, opened, size, held):
        if held == size:
            return self._layouts.examine(self._buffer[:size])
        return dicom_header.examine(lambda offset, count: os.pread(opened.descriptor, count, offset), size)


class NotOpened:
    """An object that cannot be read, and what its `reading` is therefore."""

    def __init__(self, reading):
        self.reading = reading

    def drop(self):
        """Nothing is open."""


def _deviations(indexed, reading):
    """At most one of size, digest and header, in this order, and the preamble in any case."""
    if reading.trouble[0]:
        yield _deviation(indexed, reading.trouble[0], **reading.trouble[1])
        return
    age = max(0, int(time.time() - reading.mtime_ns / 1e9))
    why = reading.unsound(indexed.uid) if indexed.kind == DICOM else ""
    header = (why or "sound") if indexed.kind == DICOM else "not-an-object"
    if reading.size != indexed.size:
        yield _deviation(
            indexed, "size", expected=indexed.size, found=reading.size, header=header, modified_seconds_ago=age
        )
    elif indexed.digest and reading.digests[indexed.algorithm].hex() != indexed.digest.lower():
        yield _deviation(
            indexed, "digest", algorithm=indexed.algorithm, size=reading.size, header=header, modified_seconds_ago=age
        )
    elif why:
        yield _deviation(indexed, "header", why=why, offset=reading.header.offset, size=reading.size)
    if reading.executable and indexed.kind == DICOM:
        yield _deviation(indexed, "executable-preamble", looks_like=reading.executable, header=header)


def _no_reading(why):
    return Reading(trouble=("unreadable", {"why": why}))


def _deviation(indexed, verdict, **evidence):
    return [indexed.key, verdict, evidence]


def _same(before, after, size):
    return (before.st_mtime_ns, before.st_size, size) == (after.st_mtime_ns, after.st_size, after.st_size)


def hasher(algorithm, content=b""):
    try:
        return hashlib.new(algorithm, content)
    except ValueError:
        # A FIPS machine forbids MD5 for security; here it only finds flipped bits.
        return hashlib.new(algorithm, content, **_NOT_FOR_SECURITY)
