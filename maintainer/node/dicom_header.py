"""Walk a DICOM file's structure without trusting it: every element's VR and length must lie inside the file.

Bounded in time and memory, whatever the bytes are, and never recursive. It follows pydicom's reading rules, and is
stricter where pydicom goes quietly on past the end. Values are skipped, never kept: nothing of a patient leaves here.

Source: DICOM PS3.10, 7.1 (preamble, file meta information); PS3.5, 7 (data elements, items), A (transfer syntaxes).
"""

import re
import zlib
from struct import Struct, error
from typing import NamedTuple


class Verdict(NamedTuple):
    """`why` is "" for a sound structure, else one word of `WORDS`; `offset` is where it was seen."""

    why: str
    offset: int


WORDS = (
    "not-dicom",
    "meta-broken",
    "no-transfer-syntax",
    "unknown-transfer-syntax",
    "bad-vr",
    "past-end",
    "bad-item",
    "bad-fragment",
    "unclosed",
    "nested-too-deeply",
    "too-many-elements",
    "deflate-broken",
    "deflate-too-large",
    "unreadable",
)
MAX_STEPS = 2000000
MAX_DEPTH = 64
MAX_INFLATED = 64 * 1024 * 1024

_WINDOW = 64 * 1024
_PREAMBLE, _PREFIX = 128, b"DICM"
_SHORTEST = 8  # bytes of an element without a value
_LONG_SIZE = 4
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_DATA = 0x7FE00010
_DELIMITERS = 0xFFFE
_GROUP_LENGTH, _TRANSFER_SYNTAX = 0x0000, 0x0010  # elements of group 0002
_SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_LETTERS = re.compile(rb"[A-Z]{2}\Z")
_SYNTAX = re.compile(rb"[0-9.]{1,64}\Z")
_KNOWN = re.compile(rb"1\.2\.840\.10008\.1\.(20|2(\.(1(\.98|\.99)?|2|4\.\d{2,3}|5|6\.[12]|7\.[123]|8\.1))?)\Z")
_STANDARD = b"1.2.840.10008."
_IMPLICIT = (b"1.2.840.10008.1.2", b"1.2.840.10008.1.20")
_BIG_ENDIAN = b"1.2.840.10008.1.2.2"
_DEFLATED = (b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.4.95", b"1.2.840.10008.1.2.4.205")

# What the walk is inside of: a data set, a sequence or encapsulated pixel data, each of undefined length.
_DATA_SET, _SEQUENCE, _FRAGMENTS = "data set", "sequence", "fragments"


class _Unsound(Exception):
    def __init__(self, why, offset):
        super().__init__(why)
        self.verdict = Verdict(why, offset)


def examine(read, size):
    """Give the verdict on a file of `size` bytes; `read(offset, count)` gives a part of it, short only at its end."""
    window = _Window(read, size)
    try:
        syntax, offset = _meta(window)
        if syntax in _DEFLATED:
            inflated = _inflate(window, offset)
            window, offset = _Window(lambda at, count: inflated[at : at + count], len(inflated)), 0
        _Walk(window, syntax).run(offset)
    except _Unsound as unsound:
        return unsound.verdict
    except (OSError, ValueError, OverflowError, error):
        return Verdict("unreadable", window.start)
    return Verdict("", 0)


class _Window:
    """The part of the file that is at hand."""

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
                raise _Unsound("past-end", offset)
            self.data, self.start, index = self._read(offset, max(count, _WINDOW)), offset, 0
            if len(self.data) < count:
                raise _Unsound("past-end", offset)
        return index


def _meta(window):
    """Walk the file meta information; give the transfer syntax and where the data set begins."""
    offset, syntax = _PREAMBLE + len(_PREFIX), b""
    if window.size < offset or window.bytes(_PREAMBLE, len(_PREFIX)) != _PREFIX:
        raise _Unsound("not-dicom", _PREAMBLE)
    while window.size - offset >= _SHORTEST and window.bytes(offset, 2) == b"\x02\x00":
        element, value, length = _meta_element(window, offset)
        if element == _GROUP_LENGTH and length != _LONG_SIZE:
            raise _Unsound("meta-broken", offset)
        if element == _TRANSFER_SYNTAX:
            syntax = window.bytes(value, min(length, 66)).rstrip(b"\0 ")
        offset = value + length
        if offset > window.size:
            raise _Unsound("past-end", value)
    if not syntax:
        raise _Unsound("no-transfer-syntax", offset)
    if not _SYNTAX.match(syntax) or (syntax.startswith(_STANDARD) and not _KNOWN.match(syntax)):
        raise _Unsound("unknown-transfer-syntax", offset)
    return syntax, offset


_META_SHORT, _META_LONG = Struct("<HH2sH").unpack, Struct("<L").unpack


def _meta_element(window, offset):
    _group, element, vr, length = _META_SHORT(window.bytes(offset, 8))
    if vr in _SHORT:
        return element, offset + 8, length
    if vr in _LONG:
        return element, offset + 12, _META_LONG(window.bytes(offset + 8, 4))[0]
    raise _Unsound("meta-broken", offset)


def _inflate(window, offset):
    """Expand a deflated data set, up to a limit that no honest one needs."""
    inflater, parts, total = zlib.decompressobj(-zlib.MAX_WBITS), [], 0
    while offset < window.size and not inflater.eof:
        count = min(1024 * 1024, window.size - offset)
        pending = window.bytes(offset, count)
        offset += count
        while pending and not inflater.eof:
            try:
                part = inflater.decompress(pending, MAX_INFLATED + 1 - total)
            except zlib.error:
                raise _Unsound("deflate-broken", offset) from None
            total += len(part)
            if total > MAX_INFLATED:
                raise _Unsound("deflate-too-large", offset)
            parts.append(part)
            pending = inflater.unconsumed_tail
    if not inflater.eof:
        raise _Unsound("deflate-broken", offset)
    return b"".join(parts)


class _Level(NamedTuple):
    """What the walk is inside of: it ends at `limit`, or before that at its delimiter when it has one."""

    kind: str
    limit: int
    delimited: bool
    implicit: bool


class _Walk:
    """One pass over a data set, in which sequences and encapsulated pixel data are entered and all else is skipped."""

    def __init__(self, window, syntax):
        self.window = window
        order = ">" if syntax == _BIG_ENDIAN else "<"
        self.tag_length = Struct(order + "HHL").unpack_from
        self.explicit = Struct(order + "HH2sH").unpack_from
        self.length = Struct(order + "L").unpack_from
        self.announced_implicit = syntax in _IMPLICIT
        self.stack = []

    def run(self, offset):
        self._enter_data_set(offset, self.window.size, delimited=False, implicit=self.announced_implicit)
        steps = {_DATA_SET: self._element, _SEQUENCE: self._item, _FRAGMENTS: self._fragment}
        for _ in range(MAX_STEPS):
            level = self.stack[-1]
            if level.limit - offset >= _SHORTEST:
                offset = steps[level.kind](offset, level)
                continue
            offset = self._leave(offset, level)
            if not self.stack:
                return
        raise _Unsound("too-many-elements", offset)

    def _leave(self, offset, level):
        if level.delimited:
            raise _Unsound("unclosed", offset)
        if offset > level.limit or self.window.bytes(offset, level.limit - offset).strip(b"\0"):
            raise _Unsound("past-end", offset)
        self.stack.pop()
        return level.limit

    def _element(self, offset, level):
        group, element, vr, length = self.window.unpack(self.explicit, offset, 8)
        value = offset + 8
        if group == _DELIMITERS:
            return self._delimiter(offset, element)
        if not level.implicit and vr in _LONG:
            length = self.window.unpack(self.length, value, 4)[0]
            value += 4
        elif level.implicit or vr not in _SHORT:
            # pydicom's rule: some writers switch to implicit VR within a data set.
            if not level.implicit and b"AA" <= vr <= b"ZZ":
                raise _Unsound("bad-vr", offset)
            vr, length = b"", self.window.unpack(self.tag_length, offset, 8)[2]
        if length == _UNDEFINED:
            return self._enter_undefined(group << 16 | element, vr, value, level)
        if vr == b"SQ" and length:
            return self._enter(_SEQUENCE, value, self._end(value, length, level), level, delimited=False)
        return self._end(value, length, level)

    def _delimiter(self, offset, element):
        if element != _ITEM_END & 0xFFFF or len(self.stack) == 1:
            raise _Unsound("bad-item", offset)
        self.stack.pop()
        return offset + 8

    def _enter_undefined(self, tag, vr, value, level):
        if tag == _PIXEL_DATA or vr in (b"OB", b"OW"):
            return self._enter(_FRAGMENTS, value, level.limit, level, delimited=True)
        if vr in (b"SQ", b"UN", b""):
            return self._enter(_SEQUENCE, value, level.limit, level, delimited=True)
        raise _Unsound("bad-vr", value)

    def _item(self, offset, level):
        tag, length = self._tag_and_length(offset)
        value = offset + 8
        if tag == _SEQUENCE_END:
            self.stack.pop()
            return value
        if tag != _ITEM:
            raise _Unsound("bad-item", offset)
        if length == _UNDEFINED:
            return self._enter_data_set(value, level.limit, delimited=True, implicit=level.implicit)
        return self._enter_data_set(value, self._end(value, length, level), delimited=False, implicit=level.implicit)

    def _fragment(self, offset, level):
        tag, length = self._tag_and_length(offset)
        if tag == _SEQUENCE_END:
            self.stack.pop()
            return offset + 8
        if tag != _ITEM or length == _UNDEFINED:
            raise _Unsound("bad-fragment", offset)
        return self._end(offset + 8, length, level)

    def _tag_and_length(self, offset):
        group, element, length = self.window.unpack(self.tag_length, offset, 8)
        return group << 16 | element, length

    def _end(self, value, length, level):
        if value + length > level.limit:
            raise _Unsound("past-end", value)
        return value + length

    def _enter(self, kind, value, limit, level, delimited):
        if len(self.stack) > 2 * MAX_DEPTH:
            raise _Unsound("nested-too-deeply", value)
        self.stack.append(_Level(kind, limit, delimited, level.implicit))
        return value

    def _enter_data_set(self, value, limit, delimited, implicit):
        """Enter a data set; its first VR tells whether it is implicit, whatever was announced (PS3.5, 6.2.2)."""
        if limit - value >= _SHORTEST and (not implicit or not self.stack):
            implicit = not _LETTERS.match(self.window.bytes(value + 4, 2))
        self.stack.append(_Level(_DATA_SET, limit, delimited, implicit))
        return value
