"""Compare one object of the store with what the index says of it, reading it once.

Verdicts: missing, unreadable, size, digest, header, executable-preamble. Evidence is numbers and fixed words only.
"""

import errno
import hashlib
import os
import stat
import time
from typing import Any, NamedTuple

from tasks.node import dicom_header

KINDS = (DICOM, OTHER) = ("dicom", "other")
ALGORITHMS = ("md5", "sha1", "sha256", "sha384", "sha512")
BUFFER_BYTES = 1024 * 1024
# A preamble that an operating system would run is where malware hides in an image that viewers still show.
_EXECUTABLE = ((b"MZ", "mz"), (b"\x7fELF", "elf"), (b"#!", "script"))
_WORDS = {errno.ELOOP: "symlink", errno.EACCES: "not-permitted", errno.EPERM: "not-permitted", errno.EIO: "io-error"}
_TRIES = 2
_NOT_FOR_SECURITY: Any = {"usedforsecurity": False}  # a keyword of Python 3.9, which those machines have


class Indexed(NamedTuple):
    """What the archive's index says of an object."""

    key: object
    path: str
    size: int
    algorithm: str
    digest: object
    kind: str = DICOM


class Reading(NamedTuple):
    """What one pass over a file gave."""

    size: int
    digest: str
    first: bytes
    header: dicom_header.Verdict
    modified: float


class Reader:
    """Reads objects one after another with one buffer; each thread has its own."""

    def __init__(self, store, top, deadline):
        self._store, self._top, self._deadline = store, top, deadline
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def compare(self, indexed):
        """Give (bytes read, deviations), or None when the time was over first."""
        try:
            opened = self._store.open_object(self._top, indexed.path)
        except ValueError:
            return 0, [_deviation(indexed, "unreadable", why="path-refused")]
        except OSError as error:
            return 0, [_cannot_open(indexed, error)]
        try:
            return self._compare_opened(opened, indexed)
        except OSError as error:
            return 0, [_deviation(indexed, "unreadable", why=_WORDS.get(error.errno or 0, "error"))]
        finally:
            os.close(opened)

    def _compare_opened(self, opened, indexed):
        for _ in range(_TRIES):
            before = os.fstat(opened)
            if not stat.S_ISREG(before.st_mode):
                return 0, [_deviation(indexed, "unreadable", why="not-a-file")]
            reading = self._read(opened, before, indexed.algorithm if indexed.digest else None)
            if reading is None:
                return None
            if _same(before, os.fstat(opened), reading.size):
                return reading.size, list(_deviations(indexed, reading))
        return reading.size, [_deviation(indexed, "unreadable", why="changing")]

    def _read(self, opened, status, algorithm):
        hasher = _hasher(algorithm) if algorithm else None
        size = held = 0
        first = b""
        os.lseek(opened, 0, os.SEEK_SET)
        count = BUFFER_BYTES
        while count == BUFFER_BYTES:
            count = self._fill(opened)
            if size == 0:
                first, held = bytes(self._buffer[: min(count, 8)]), count
            if hasher:
                hasher.update(self._buffer[:count])
            size += count
            if self._deadline.passed():
                return None
        header = self._examine(opened, size, held)
        _forget(opened)
        digest = hasher.hexdigest() if hasher else ""
        return Reading(size, digest, first, header, status.st_mtime)

    def _fill(self, opened):
        filled, count = 0, 1
        while count and filled < BUFFER_BYTES:
            count = os.readv(opened, [self._buffer[filled:]])
            filled += count
        return filled

    def _examine(self, opened, size, held):
        if held == size:
            return dicom_header.examine(lambda offset, count: self._buffer[offset : offset + count], size)
        return dicom_header.examine(lambda offset, count: os.pread(opened, count, offset), size)


def _deviations(indexed, reading):
    """At most one of size, digest and header, in this order, and the preamble in any case."""
    age = max(0, int(time.time() - reading.modified))
    header = (reading.header.why or "sound") if indexed.kind == DICOM else "not-an-object"
    if reading.size != indexed.size:
        yield _deviation(
            indexed, "size", expected=indexed.size, found=reading.size, header=header, modified_seconds_ago=age
        )
    elif indexed.digest and reading.digest != indexed.digest.lower():
        yield _deviation(
            indexed, "digest", algorithm=indexed.algorithm, size=reading.size, header=header, modified_seconds_ago=age
        )
    elif reading.header.why and indexed.kind == DICOM:
        yield _deviation(indexed, "header", why=header, offset=reading.header.offset, size=reading.size)
    for magic, word in _EXECUTABLE if indexed.kind == DICOM else ():
        if reading.first.startswith(magic):
            yield _deviation(indexed, "executable-preamble", looks_like=word, header=header)


def _cannot_open(indexed, error):
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return _deviation(indexed, "missing")
    return _deviation(indexed, "unreadable", why=_WORDS.get(error.errno or 0, "error"))


def _deviation(indexed, verdict, **evidence):
    return [indexed.key, verdict, evidence]


def _same(before, after, size):
    return (before.st_mtime, before.st_size, size) == (after.st_mtime, after.st_size, after.st_size)


def _hasher(algorithm):
    try:
        return hashlib.new(algorithm)
    except ValueError:
        # A FIPS machine forbids MD5 for security; here it only finds flipped bits.
        return hashlib.new(algorithm, **_NOT_FOR_SECURITY)


def _forget(opened):
    # What was read once for checking must not push out what the archive serves.
    os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
