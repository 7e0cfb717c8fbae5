"""A corpus of hostile DICOM: what must be told of each file, and how to write it."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pydicom.data import get_testdata_file

EXPLICIT, IMPLICIT, DEFLATED = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1.99"
OPEN = b"\xff\xff\xff\xff"
ITEM, ITEM_END, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
SEQUENCE = b"\x08\0\x15\x11SQ\0\0"
PIXELS = b"\xe0\x7f\x10\0OW\0\0"
NAME = b"\x10\0\x10\0PN\x08\0DOE^JANE"
IMAGE = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()

Hostile = tuple[Callable[[], bytes], str]
"""How to make it, and the word that must be told."""


def part_10(data_set: bytes, syntax: bytes = EXPLICIT) -> bytes:
    element = b"\x02\0\x10\0UI" + struct.pack("<H", len(syntax)) + syntax
    return bytes(128) + b"DICM\x02\0\0\0UL\x04\0" + struct.pack("<L", len(element)) + element + data_set


def deflated(*parts: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return part_10(b"".join(map(packer.compress, parts)) + packer.flush(), DEFLATED)


def bomb(megabytes: int) -> bytes:
    """Deflate one element of zeros."""
    return deflated(PIXELS, struct.pack("<L", megabytes << 20), *[bytes(1 << 20)] * megabytes)


def image(rows: int, columns: int, bits: int, pixels: bytes, *, frames: bytes = b"1 ") -> bytes:
    numbers = {b"\x10\0": rows, b"\x11\0": columns, b"\x00\x01": bits}
    described = b"".join(b"\x28\0" + tag + b"US\x02\0" + struct.pack("<H", value) for tag, value in numbers.items())
    frame = b"\x28\0\x08\0IS" + struct.pack("<H", len(frames)) + frames
    return part_10(frame + described + PIXELS + struct.pack("<L", len(pixels)) + pixels)


def noise(seed: int) -> bytes:
    """Make the same megabyte of noise each time."""
    return random.Random(seed).randbytes(1 << 20)  # noqa: S311 (no secret)


def in_preamble(program: bytes, place: int = 0) -> bytes:
    return IMAGE[:place] + program + IMAGE[place + len(program) :]


PROGRAMS: dict[str, tuple[bytes, str]] = {
    "a program of Windows": (in_preamble(b"MZ\x90\0\x03\0\0\0\x04"), "mz"),
    "a program of Linux": (in_preamble(b"\x7fELF\x02\x01\x01"), "elf"),
    "a shell script": (in_preamble(b"#!/bin/sh\nexec sh\n"), "script"),
    "a PDF": (in_preamble(b"%PDF-1.7\n"), "pdf"),
    "a PDF in the midst": (in_preamble(b"%PDF-1.7\n", 100), "pdf"),
}
"""Images that are sound, and something else as well."""


def nested(levels: int, *, delimited: bool) -> bytes:
    """Put sequences into each other, from the innermost on."""
    if delimited:
        return (SEQUENCE + OPEN + ITEM + OPEN) * levels + (ITEM_END + SEQUENCE_END) * levels
    heads, length = [], 0
    for _ in range(levels):
        heads.append(SEQUENCE + struct.pack("<L", length + 8) + ITEM + struct.pack("<L", length))
        length += 20
    return b"".join(reversed(heads))


_STRUCTURE: dict[str, Hostile] = {
    "nothing": (lambda: b"", "not-dicom"),
    "zeros": (lambda: bytes(2 << 20), "not-dicom"),
    "random": (lambda: noise(1), "not-dicom"),
    "a prefix and no more": (lambda: bytes(128) + b"DICM", "no-transfer-syntax"),
    "random after the prefix": (
        lambda: bytes(128) + b"DICM" + noise(1),
        "no-transfer-syntax",
    ),
    "random after the meta group": (lambda: part_10(noise(2)), "past-end"),
    "zeros after the meta group": (lambda: part_10(NAME + bytes(8 << 20)), "too-many-elements"),
    "a meta group without end": (lambda: bytes(128) + b"DICM" + b"\x02\0\x10\0UI\0\0" * 400_000, "no-transfer-syntax"),
    "a meta element of 4 GB": (lambda: bytes(128) + b"DICM\x02\0\x01\0OB\0\0\xf0\xff\xff\xff", "past-end"),
    "a meta element of unknown VR": (lambda: bytes(128) + b"DICM\x02\0\x01\0XX\0\0", "meta-broken"),
    "no transfer syntax": (lambda: part_10(NAME, b""), "no-transfer-syntax"),
    "a transfer syntax of garbage": (lambda: part_10(NAME, b"../../etc/passwd"), "unknown-transfer-syntax"),
    "a transfer syntax of 64 kB": (lambda: part_10(NAME, b"1." * 32_000), "unknown-transfer-syntax"),
    "a retired transfer syntax": (lambda: part_10(NAME, b"1.2.840.10008.1.2.9\0"), "unknown-transfer-syntax"),
    "a VR that nobody knows": (lambda: part_10(b"\x10\0\x10\0ZZ\x02\0ab"), "bad-vr"),
    "a value past the end": (lambda: part_10(b"\x10\0\x10\0PN\xff\xffab"), "past-end"),
    "a value of 4 GB": (lambda: part_10(b"\x10\0\x10\0UT\0\0\xfe\xff\xff\xff"), "past-end"),
    "implicit lengths past the end": (lambda: part_10(b"\x10\0\x10\0\xfe\xff\xff\xff", IMPLICIT), "past-end"),
    "millions of elements": (lambda: part_10(b"\x10\0\x10\0PN\0\0" * 3_000_000), "too-many-elements"),
    "millions of implicit elements": (lambda: part_10(bytes(24_000_000), IMPLICIT), "too-many-elements"),
    "millions of descriptions": (lambda: part_10(b"\x28\0\x10\0US\x02\0ab" * 1_000_000), "too-many-elements"),
    "millions of empty sequences": (lambda: part_10((SEQUENCE + OPEN + SEQUENCE_END) * 400_000), "too-many-elements"),
    "a sequence of millions of items": (
        lambda: part_10(SEQUENCE + OPEN + (ITEM + OPEN + ITEM_END) * 400_000),
        "too-many-elements",
    ),
    "millions of fragments": (lambda: part_10(PIXELS + OPEN + (ITEM + bytes(4)) * 400_000), "too-many-elements"),
}
_NESTING: dict[str, Hostile] = {
    "20,000 sequences without length": (lambda: part_10(nested(20_000, delimited=True)), "nested-too-deeply"),
    "20,000 sequences with length": (lambda: part_10(nested(20_000, delimited=False)), "nested-too-deeply"),
    "20,000 sequences that never end": (lambda: part_10((SEQUENCE + OPEN + ITEM + OPEN) * 20_000), "nested-too-deeply"),
    "20,000 sequences in UN": (
        lambda: part_10((b"\x09\0\x10\x10UN\0\0" + OPEN + ITEM + OPEN) * 20_000),
        "nested-too-deeply",
    ),
    "a sequence that never ends": (lambda: part_10(SEQUENCE + OPEN + ITEM + OPEN + NAME), "unclosed"),
    "a sequence past the end": (lambda: part_10(SEQUENCE + b"\xff\xff\0\0" + ITEM + OPEN), "past-end"),
    "an item past its sequence": (
        lambda: part_10(SEQUENCE + struct.pack("<L", 8) + ITEM + b"\x09\0\0\0" + NAME),
        "past-end",
    ),
    "an element past its item": (
        lambda: part_10(SEQUENCE + struct.pack("<L", 20) + ITEM + b"\x0c\0\0\0" + NAME),
        "past-end",
    ),
    "an end of what did not begin": (lambda: part_10(ITEM_END), "bad-item"),
    "a sequence of no items": (lambda: part_10(SEQUENCE + OPEN + NAME), "bad-item"),
}
_PIXELS: dict[str, Hostile] = {
    "pixels that never end": (lambda: part_10(PIXELS + OPEN + ITEM + b"\x04\0\0\0abcd"), "unclosed"),
    "pixels of garbage": (lambda: part_10(PIXELS + OPEN + b"garbage!"), "bad-fragment"),
    "a fragment past the end": (lambda: part_10(PIXELS + OPEN + ITEM + b"\x40\0\0\0abcd"), "past-end"),
    "a fragment of undefined length": (lambda: part_10(PIXELS + OPEN + ITEM + OPEN + SEQUENCE_END), "bad-fragment"),
    "fewer pixels than described": (lambda: image(512, 512, 16, bytes(1024)), "pixels-too-short"),
    "more pixels than described": (lambda: image(4, 4, 8, b"x" * 64), "pixels-too-long"),
    "a payload behind the pixels": (lambda: image(4, 4, 8, bytes(16) + b"MZ" * 40_000), "pixels-too-long"),
    "as many frames as digits can say": (
        lambda: image(65535, 65535, 65535, bytes(16), frames=b"9999999999"),
        "pixels-too-short",
    ),
}
_DEFLATED: dict[str, Hostile] = {
    "a deflate bomb of 200 MB": (lambda: bomb(200), "deflate-too-large"),
    "a deflate bomb of millions of elements": (
        lambda: deflated((SEQUENCE + OPEN + SEQUENCE_END) * 400_000),
        "too-many-elements",
    ),
    "a deflate bomb within its bound that lies": (
        lambda: deflated(PIXELS, b"\xfe\xff\xff\x7f", bytes(60 << 20)),
        "past-end",
    ),
    "deflated garbage": (lambda: part_10(b"garbage!" * 10, DEFLATED), "deflate-broken"),
    "a deflated set cut off": (lambda: bomb(1)[:-20], "deflate-broken"),
    "a deflated set of empty blocks": (lambda: part_10(b"\0\0\0\xff\xff" * 2_000_000, DEFLATED), "deflate-broken"),
}
# A length that is open where none may be; OB, OW and UN are then read as pixels or a sequence.
_OPEN: dict[str, Hostile] = {
    f"{vr} of undefined length": (lambda vr=vr: part_10(b"\x08\0\x10\0" + vr.encode() + b"\0\0" + OPEN + NAME), word)
    for vr, word in {
        **dict.fromkeys(("OD", "OF", "OL", "OV", "SV", "UC", "UR", "UT", "UV"), "bad-vr"),
        **dict.fromkeys(("OB", "OW"), "bad-fragment"),
        **dict.fromkeys(("UN", "SQ"), "bad-item"),
    }.items()
}
HOSTILE: dict[str, Hostile] = {**_STRUCTURE, **_NESTING, **_PIXELS, **_DEFLATED, **_OPEN}


def truncated(content: bytes) -> Iterator[bytes]:
    """Cut a file off at every byte of its header, and within its pixels."""
    for place in range(132, content.index(PIXELS) + 12):
        yield content[:place]
    yield content[:-1]
