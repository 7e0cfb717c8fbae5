"""Judge a DICOM file's structure without trusting it: every element's VR and length must lie inside the file.

Bounded in time and memory, whatever the bytes are, and never recursive. It follows pydicom's reading rules, and is
stricter where pydicom goes quietly on past the end. Values are skipped, but for those that describe the image, until
its pixel data have been measured: nothing of a patient leaves here.

Source: DICOM PS3.10, 7.1 (preamble, file meta information); PS3.5, A (transfer syntaxes).
"""

import re
from struct import error

from maintainer.node.dicom_walk import BIG, LITTLE, LONG, SHORT, SHORTEST, Walk
from maintainer.node.dicom_window import Inflated, Unsound, Verdict, Window

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
    "pixels-too-short",
    "pixels-too-long",
    "nested-too-deeply",
    "too-many-elements",
    "deflate-broken",
    "deflate-too-large",
    "unreadable",
)

_PREAMBLE, _PREFIX = 128, b"DICM"
_META = 0x0002  # group of the file meta information; elements of it:
_GROUP_LENGTH, _TRANSFER_SYNTAX = 0x0000, 0x0010
_LONG_SIZE = 4
_MOST_META = 1000  # elements; the standard has twenty
_SYNTAX = re.compile(rb"[0-9.]{1,64}\Z")
_KNOWN = re.compile(rb"1\.2\.840\.10008\.1\.(20|2(\.(1(\.98|\.99)?|2|4\.\d{2,3}|5|6\.[12]|7\.[123]|8\.1))?)\Z")
_STANDARD = b"1.2.840.10008."
_IMPLICIT = (b"1.2.840.10008.1.2", b"1.2.840.10008.1.20")
_BIG_ENDIAN = b"1.2.840.10008.1.2.2"
_EXPLICIT, _EXPLICIT_DEFLATED = b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1.99"
_NATIVE = (b"1.2.840.10008.1.2", _EXPLICIT, _EXPLICIT_DEFLATED, _BIG_ENDIAN)
_DEFLATED = (_EXPLICIT_DEFLATED, b"1.2.840.10008.1.2.4.95", b"1.2.840.10008.1.2.4.205")


def examine(read, size):
    """Give the verdict on a file of `size` bytes; `read(offset, count)` gives a part of it, short only at its end."""
    window, walk = Window(read, size), None
    try:
        walk, offset = begun(window)
        walk.run(offset)
        why, at = "", 0
    except Unsound as unsound:
        why, at = unsound.why, unsound.offset
    except (OSError, ValueError, OverflowError, error):
        why, at = "unreadable", window.start
    if walk is None:
        return Verdict(why, at)
    return Verdict(why, at, walk.uid(), walk.pixels if walk.window is window else 0)


def begun(window, walking=Walk):
    """Walk the file meta information; give the walk of the data set, and where it begins in the walk's window."""
    syntax, offset = _meta(window)
    if syntax in _DEFLATED:
        inflated = Inflated(window, offset)
        window, offset = Window(inflated.read, inflated.size), 0
    order = BIG if syntax == _BIG_ENDIAN else LITTLE
    return walking(window, order, native=syntax in _NATIVE, implicit=syntax in _IMPLICIT), offset


def _meta(window):
    """Walk the file meta information; give the transfer syntax and where the data set begins."""
    offset, syntax = _PREAMBLE + len(_PREFIX), b""
    if window.size < offset or window.bytes(0, offset)[_PREAMBLE:] != _PREFIX:
        raise Unsound("not-dicom", _PREAMBLE)
    for _ in range(_MOST_META):
        if window.size - offset < SHORTEST:
            break
        group, element, vr, length = window.unpack(LITTLE.explicit, offset, SHORTEST)
        if group != _META:
            break
        value = offset + SHORTEST
        if vr not in SHORT:
            value, length = _long(window, value, vr)
        if element == _TRANSFER_SYNTAX:
            syntax = window.bytes(value, min(length, 66)).rstrip(b"\0 ")
        elif element == _GROUP_LENGTH and length != _LONG_SIZE:
            raise Unsound("meta-broken", offset)
        offset = value + length
        if offset > window.size:
            raise Unsound("past-end", value)
    return _known(syntax, offset), offset


def _long(window, value, vr):
    if vr not in LONG:
        raise Unsound("meta-broken", value - SHORTEST)
    return value + _LONG_SIZE, window.unpack(LITTLE.long, value, _LONG_SIZE)[0]


def _known(syntax, offset):
    if not syntax:
        raise Unsound("no-transfer-syntax", offset)
    if not _SYNTAX.match(syntax) or (syntax.startswith(_STANDARD) and not _KNOWN.match(syntax)):
        raise Unsound("unknown-transfer-syntax", offset)
    return syntax
