"""One pass over a DICOM data set: sequences and encapsulated pixel data are entered, and all else is skipped.

Source: DICOM PS3.5, 6.2.2 (UN), 7.1 (data elements), 7.5 (items), A.4 (encapsulated pixel data).
"""

import re
from struct import Struct, pack
from typing import Dict, NamedTuple

from maintainer.node.dicom_image import DESCRIPTION, PIXELS, SOP_INSTANCE_UID, lengths
from maintainer.node.dicom_window import Unsound

MAX_DEPTH = 64
MAX_STEPS = 300000
"""Sequences, items, fragments, and other elements that are no plain ones. Of those so many take as long as one:"""
_PLAIN_ONES = 8
_ENOUGH = MAX_STEPS // 2
"""From so many on, what lies within a sequence of a defined length is passed over."""
SHORTEST = 8
"""Bytes of an element without a value, and of what stands before most values."""
SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""VRs whose length takes four bytes more."""

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_STOPS = PIXELS | {_ITEM, _ITEM_END, _SEQUENCE_END}
_DELIMITERS = 0xFFFE
_LETTERS = re.compile(rb"[A-Z]{2}\Z")
_MOST_PADDING = 64 * 1024
NOTED = 64
"""So many bytes are kept of a value at most."""
_NOTED_UP_TO = SHORTEST + NOTED

# What the walk is inside of: a data set, a sequence or encapsulated pixel data, each of undefined length.
_DATA_SET, _SEQUENCE, _FRAGMENTS = "data set", "sequence", "fragments"


class Order:
    """How numbers are taken out of bytes of one byte order.

    The `plain` ones take a tag as one number, whose halves change places in little endian: so stand the tags of
    `noted`, by which a value is kept, and of `stops`, which are never plain.
    """

    def __init__(self, order):
        self.explicit = Struct(order + "HH2sH").unpack_from
        self.implicit = Struct(order + "HHL").unpack_from
        self.plain_explicit = Struct(order + "L2sH").unpack_from
        self.plain_implicit = Struct(order + "LL").unpack_from
        self.long = Struct(order + "L").unpack_from
        self.short = Struct(order + "H")
        as_one = {tag: self.long(pack(order + "HH", tag >> 16, tag & 0xFFFF))[0] for tag in DESCRIPTION | _STOPS}
        self.noted = {as_one[tag]: tag for tag in DESCRIPTION}
        self.stops = frozenset(as_one[tag] for tag in _STOPS)

    def number(self, value):
        """Take the number out of a value of VR US; None where it is none."""
        return self.short.unpack(value)[0] if len(value) == self.short.size else None


LITTLE, BIG = Order("<"), Order(">")
_NOTHING: Dict[int, int] = {}


class _Level(NamedTuple):
    """What the walk is inside of: it ends at `limit`, or before that at its delimiter when it has one."""

    kind: str
    limit: int
    delimited: bool
    implicit: bool


class Walk:
    """`native` says whether pixel data of a defined length are as the image's description says, not compressed.

    `pixels` is where in the window those begin that it came to, or 0.
    """

    def __init__(self, window, order, *, native, implicit):
        self.window, self._order, self._native, self._implicit = window, order, native, implicit
        self._stack = []
        self._steps = 0
        self._description = {}
        self.pixels = 0

    def uid(self):
        """The SOP instance UID, as far as the walk has come."""
        return self._description.get(SOP_INSTANCE_UID, b"").rstrip(b"\0 ")

    def run(self, offset):
        """Walk to the end of the file.

        Raises:
            Unsound: it is broken, or too large to be walked.
        """
        self._enter_data_set(offset, self.window.size, delimited=False, implicit=self._implicit)
        steps = {_DATA_SET: self._element, _SEQUENCE: self._item, _FRAGMENTS: self._fragment}
        while self._stack:
            level = self._stack[-1]
            if level.kind is _DATA_SET:
                offset = self._plain_elements(offset, level)
            if self._steps > _ENOUGH and len(self._stack) > 1 and not level.delimited:
                offset = self._pass_over(level)
            elif level.limit - offset >= SHORTEST:
                offset = steps[level.kind](offset, level)
            else:
                offset = self._leave(offset, level)
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise Unsound("too-many-elements", offset)

    def _plain_elements(self, offset, level):
        """Pass over elements as most are, as fast as can be; the first that is not is left to `_element` to judge."""
        data, start = self.window.data, self.window.start
        place, end = offset - start, min(len(data), level.limit - start)
        if not 0 <= place <= end - SHORTEST:
            return offset
        loop = self._plain_implicit if level.implicit else self._plain_explicit
        return start + loop(data, place, end, self._order.noted if len(self._stack) == 1 else _NOTHING)

    def _plain_explicit(self, data, place, end, noted):
        unpack, last, passed = self._order.plain_explicit, end - SHORTEST, 0
        while place <= last:
            tag, vr, length = unpack(data, place)
            following = place + SHORTEST + length
            if vr not in SHORT or following > end:
                break
            if tag in noted:
                self._description[noted[tag]] = bytes(data[place + SHORTEST : min(following, place + _NOTED_UP_TO)])
                passed += _PLAIN_ONES
            place, passed = following, passed + 1
        self._steps += passed // _PLAIN_ONES
        return place

    def _plain_implicit(self, data, place, end, noted):
        unpack, stops = self._order.plain_implicit, self._order.stops
        last, passed = end - SHORTEST, 0
        while place <= last:
            tag, length = unpack(data, place)
            following = place + SHORTEST + length
            if following > end or tag in stops:
                break
            if tag in noted:
                self._description[noted[tag]] = bytes(data[place + SHORTEST : min(following, place + _NOTED_UP_TO)])
                passed += _PLAIN_ONES
            place, passed = following, passed + 1
        self._steps += passed // _PLAIN_ONES
        return place

    def _pass_over(self, level):
        """Leave what there is no time for: an image of a hundred thousand frames may say something of each."""
        self._stack.pop()
        return level.limit

    def _leave(self, offset, level):
        if level.delimited:
            raise Unsound("unclosed", offset)
        if offset > level.limit or self.window.bytes(offset, level.limit - offset).strip(b"\0"):
            raise Unsound("past-end", offset)
        self._stack.pop()
        return level.limit

    def _element(self, offset, level):
        group, element, vr, length = self.window.unpack(self._order.explicit, offset, SHORTEST)
        value = offset + SHORTEST
        if group == _DELIMITERS and vr not in SHORT:
            return self._delimiter(offset, element)
        if not level.implicit and vr in LONG:
            length = self.window.unpack(self._order.long, value, 4)[0]
            value += 4
        elif level.implicit or vr not in SHORT:
            # pydicom's rule: some writers switch to implicit VR within a data set.
            if not level.implicit and b"AA" <= vr <= b"ZZ":
                raise Unsound("bad-vr", offset)
            vr, length = b"", self.window.unpack(self._order.implicit, offset, SHORTEST)[2]
        tag = group << 16 | element
        if tag in PIXELS and len(self._stack) == 1:
            self.pixels = value
        if length == _UNDEFINED:
            return self._enter_undefined(tag, vr, value, level)
        end = self._end(value, length, level)
        if len(self._stack) == 1:
            self._note(tag, value, length)
        return self._enter(_SEQUENCE, value, end, level, delimited=False) if vr == b"SQ" and length else end

    def _note(self, tag, value, length):
        """Keep what describes the image, and measure its pixel data, of a length that lies inside the file."""
        if tag in DESCRIPTION:
            self._description[tag] = self.window.bytes(value, min(length, NOTED))
        elif tag in PIXELS and self._native:
            self._measure(value, length)

    def _measure(self, value, length):
        """Pixel data may be padded with zeros, as some vendors do."""
        fitting = lengths(self._description, self._order.number)
        if not fitting or length + length % 2 in fitting:
            return
        padding = length - fitting[-1]
        if padding < 0:
            raise Unsound("pixels-too-short", value)
        if padding > _MOST_PADDING or self.window.bytes(value + fitting[-1], padding).strip(b"\0"):
            raise Unsound("pixels-too-long", value)

    def _delimiter(self, offset, element):
        if element != _ITEM_END & 0xFFFF or len(self._stack) == 1:
            raise Unsound("bad-item", offset)
        self._stack.pop()
        return offset + SHORTEST

    def _enter_undefined(self, tag, vr, value, level):
        if tag in PIXELS or vr in (b"OB", b"OW"):
            return self._enter(_FRAGMENTS, value, level.limit, level, delimited=True)
        if vr in (b"SQ", b"UN", b""):
            return self._enter(_SEQUENCE, value, level.limit, level, delimited=True)
        raise Unsound("bad-vr", value)

    def _item(self, offset, level):
        tag, length = self._tag_and_length(offset)
        value = offset + SHORTEST
        if tag == _SEQUENCE_END:
            self._stack.pop()
            return value
        if tag != _ITEM:
            raise Unsound("bad-item", offset)
        if length == _UNDEFINED:
            return self._enter_data_set(value, level.limit, delimited=True, implicit=level.implicit)
        return self._enter_data_set(value, self._end(value, length, level), delimited=False, implicit=level.implicit)

    def _fragment(self, offset, level):
        tag, length = self._tag_and_length(offset)
        if tag == _SEQUENCE_END:
            self._stack.pop()
            return offset + SHORTEST
        if tag != _ITEM or length == _UNDEFINED:
            raise Unsound("bad-fragment", offset)
        return self._end(offset + SHORTEST, length, level)

    def _tag_and_length(self, offset):
        group, element, length = self.window.unpack(self._order.implicit, offset, SHORTEST)
        return group << 16 | element, length

    def _end(self, value, length, level):
        if value + length > level.limit:
            raise Unsound("past-end", value)
        return value + length

    def _enter(self, kind, value, limit, level, delimited):
        if len(self._stack) > 2 * MAX_DEPTH:
            raise Unsound("nested-too-deeply", value)
        self._stack.append(_Level(kind, limit, delimited, level.implicit))
        return value

    def _enter_data_set(self, value, limit, delimited, implicit):
        """Enter a data set; its first VR tells whether it is implicit, whatever was announced (PS3.5, 6.2.2)."""
        if limit - value >= SHORTEST and (not implicit or not self._stack):
            # From its beginning: what is deflated is read forwards only.
            implicit = not _LETTERS.match(self.window.bytes(value, SHORTEST), 4, 6)
        self._stack.append(_Level(_DATA_SET, limit, delimited, implicit))
        return value
