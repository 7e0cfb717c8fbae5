"""The part of a DICOM file that is at hand while its structure is walked: a piece of it, whatever its size."""

import zlib
from typing import NamedTuple

MAX_INFLATED = 64 * 1024 * 1024
"""No more of a deflated data set is expanded: 200 kB may hold 200 MB."""
_WINDOW = 16 * 1024
_PIECE = 64 * 1024


class Verdict(NamedTuple):
    """`why` is "" for a sound structure, else one word of `dicom_header.WORDS`; `offset` is where it was seen.

    `uid` is the SOP instance UID as far as it was come by. It names a patient's image and stays on the node. `pixels`
    is where in the file the pixel data begin, 0 where that was not come by or they are deflated.
    """

    why: str
    offset: int
    uid: bytes = b""
    pixels: int = 0


class Unsound(Exception):
    """The walk ends here, with a word why."""

    def __init__(self, why, offset):
        super().__init__(why)
        self.why, self.offset = why, offset


class Window:
    """A piece of `size` bytes that `read(offset, count)` gives parts of; it moves on with what is asked for."""

    def __init__(self, read, size):
        self._read, self.size = read, size
        self.start, self.data = 0, b""

    def unpack(self, unpack_from, offset, count):
        index = self._at(offset, count)
        return unpack_from(self.data, index)

    def bytes(self, offset, count):
        index = self._at(offset, count)
        return bytes(self.data[index : index + count])

    def _at(self, offset, count):
        """Index in `data`, loaded anew where needed, of `count` bytes of the file from `offset` on."""
        index = offset - self.start
        if index < 0 or index + count > len(self.data):
            if offset + count > self.size:
                raise Unsound("past-end", offset)
            self.data, self.start, index = self._read(offset, max(count, _WINDOW)), offset, 0
            if len(self.data) < count:
                raise Unsound("past-end", offset)
        return index


class Inflated:
    """A deflated data set, expanded twice and never kept: once for its size, once for whoever reads it forwards."""

    def __init__(self, window, offset):
        self.size = 0
        for part in _parts(window, offset):
            self.size += len(part)
            if self.size > MAX_INFLATED:
                raise Unsound("deflate-too-large", offset)
        self._parts = _parts(window, offset)
        self._start, self._held = 0, b""

    def read(self, offset, count):
        for part in self._parts if self._end() < offset + count else ():
            kept = self._held[max(0, offset - self._start) :]
            self._start, self._held = self._end() - len(kept), kept + part
            if self._end() >= offset + count:
                break
        index = offset - self._start
        if index < 0:
            raise ValueError("a deflated data set is read forwards only")
        return self._held[index : index + count]

    def _end(self):
        return self._start + len(self._held)


def _parts(window, offset):
    """Expand a raw deflate stream (PS3.5, A.5) piece by piece; what follows its end is padding."""
    inflater, part = zlib.decompressobj(-zlib.MAX_WBITS), b""
    while not inflater.eof:
        pending = inflater.unconsumed_tail
        if not pending and len(part) < _PIECE:
            count = min(_PIECE, window.size - offset)
            pending = window.bytes(offset, count)
            offset += count
            if not pending:
                raise Unsound("deflate-broken", offset)
        try:
            part = inflater.decompress(pending, _PIECE)
        except zlib.error:
            raise Unsound("deflate-broken", offset) from None
        yield part
