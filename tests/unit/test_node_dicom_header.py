"""The header walk agrees with pydicom on sound files, and no bytes whatever make it break, hang or grow."""

import logging
import struct
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from maintainer.node import dicom_header, dicom_image, dicom_window
from maintainer.node.dicom_header import Verdict, examine
from maintainer.node.dicom_walk import LITTLE

FOLDER = Path(str(pydicom.__file__)).parent / "data"
FILES = sorted(p for p in FOLDER.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc"))
PART_10 = [p for p in FILES if p.read_bytes()[128:132] == b"DICM"]

# Where we are stricter than pydicom, which reads these without a word.
STRICTER = {
    "MR_truncated.dcm": "its pixels end before their length says",
    "rtplan_truncated.dcm": "its last sequence ends before its length says",
    "DICOMDIR-nooffset": "a record's length reaches past the end of its sequence",
    "meta_missing_tsyntax.dcm": "it has no transfer syntax (type 1 in PS3.10, 7.1), which pydicom guesses",
}

EXPLICIT, IMPLICIT, DEFLATED = b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1.99"
ITEM, ITEM_END, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
OPEN = b"\xff\xff\xff\xff"


def look(content: bytes) -> Verdict:
    return examine(lambda offset, count: content[offset : offset + count], len(content))


def part_10(data_set: bytes, syntax: bytes = EXPLICIT) -> bytes:
    uid = syntax + b"\0" * (len(syntax) % 2)
    element = b"\x02\0\x10\0UI" + struct.pack("<H", len(uid)) + uid
    return b"\0" * 128 + b"DICM\x02\0\0\0UL\x04\0" + struct.pack("<L", len(element)) + element + data_set


def pydicom_reads(path: Path) -> bool:
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for element in pydicom.dcmread(path).iterall():
                element.value  # noqa: B018 (reading the value is what converts it)
    except Exception:  # noqa: BLE001 (whatever it is, pydicom does not read the file)
        return False
    finally:
        logging.disable(logging.NOTSET)
    return True


@pytest.mark.parametrize("path", PART_10, ids=lambda path: path.name)
def test_agrees_with_pydicom(path: Path) -> None:
    """What pydicom reads to the last element is sound, what it rejects is not, but for the named exceptions."""
    why = look(path.read_bytes()).why
    assert (why == "") == (pydicom_reads(path) and path.name not in STRICTER), why


def test_the_exceptions_are_still_there() -> None:
    """Each named exception is a file that pydicom reads and we do not: none is listed in vain."""
    assert len(PART_10) > 100
    named = {path.name: path for path in PART_10 if path.name in STRICTER}
    assert named.keys() == STRICTER.keys()
    assert all(pydicom_reads(path) and look(path.read_bytes()).why for path in named.values())


def test_a_file_without_the_prefix_is_not_dicom() -> None:
    """Every test file of pydicom that is no Part 10 file is called just that, as pydicom does without force."""
    others = [path for path in FILES if path not in PART_10]
    assert others
    assert {look(path.read_bytes()).why for path in others} == {"not-dicom"}


SEQUENCE = b"\x08\0\x15\x11SQ\0\0"


def nested(levels: int, *, delimited: bool) -> bytes:
    content = b""
    for _ in range(levels):
        length = OPEN if delimited else struct.pack("<L", len(content))
        item = ITEM + length + content + (ITEM_END if delimited else b"")
        content = SEQUENCE + (OPEN if delimited else struct.pack("<L", len(item))) + item
        content += SEQUENCE_END if delimited else b""
    return content


def bomb(megabytes: int) -> bytes:
    """A deflated data set that is one element of zeros."""
    size = megabytes * 1024 * 1024
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = b"\xe0\x7f\x10\0OB\0\0" + struct.pack("<L", size)
    return deflate.compress(head) + b"".join(deflate.compress(bytes(2**20)) for _ in range(megabytes)) + deflate.flush()


PIXELS = b"\xe0\x7f\x10\0OB\0\0" + OPEN
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not-dicom"),
    "zeros": (lambda: bytes(10_000), "not-dicom"),
    "text": (lambda: b"hello world " * 100, "not-dicom"),
    "prefix alone": (lambda: bytes(128) + b"DICM", "no-transfer-syntax"),
    "prefix cut": (lambda: bytes(128) + b"DIC", "not-dicom"),
    "meta of garbage": (lambda: bytes(128) + b"DICM\x02\0\0\0\xff\xff\xff\xff\xff\xff", "meta-broken"),
    "meta past the end": (lambda: bytes(128) + b"DICM\x02\0\x02\0UI\xff\xff", "past-end"),
    "a syntax nobody knows": (lambda: part_10(b"", b"1.2.840.10008.1.2.9"), "unknown-transfer-syntax"),
    "a syntax of garbage": (lambda: part_10(b"", b"../../etc"), "unknown-transfer-syntax"),
    "a VR nobody knows": (lambda: part_10(b"\x10\0\x10\0ZZ\x02\0ab"), "bad-vr"),
    "a value past the end": (lambda: part_10(b"\x10\0\x10\0PN\x09\0ab"), "past-end"),
    "a length of 4 GB": (lambda: part_10(b"\x10\0\x10\0UT\0\0\xfe\xff\xff\xff"), "past-end"),
    "half an element": (lambda: part_10(b"\x10\0\x10\0P"), "past-end"),
    "20,000 sequences without length": (lambda: part_10(nested(20_000, delimited=True)), "nested-too-deeply"),
    "2,000 sequences with length": (lambda: part_10(nested(2_000, delimited=False)), "nested-too-deeply"),
    "a sequence without end": (lambda: part_10(SEQUENCE + OPEN + ITEM + OPEN), "unclosed"),
    "an item end without an item": (lambda: part_10(ITEM_END), "bad-item"),
    "a sequence of no items": (lambda: part_10(SEQUENCE + OPEN + b"\x10\0\x10\0PN\x02\0ab"), "bad-item"),
    "pixels without end": (lambda: part_10(PIXELS + ITEM + struct.pack("<L", 4) + b"abcd"), "unclosed"),
    "pixels of garbage": (lambda: part_10(PIXELS + b"garbage!"), "bad-fragment"),
    "a fragment past the end": (lambda: part_10(PIXELS + ITEM + struct.pack("<L", 400) + b"abcd"), "past-end"),
    "an open length where none may be": (lambda: part_10(b"\x10\0\x10\0UT\0\0" + OPEN), "bad-vr"),
    "deflated garbage": (lambda: part_10(b"garbage!" * 10, DEFLATED), "deflate-broken"),
    "a deflated set cut off": (lambda: part_10(bomb(1)[:-20], DEFLATED), "deflate-broken"),
    "a deflate bomb": (lambda: part_10(bomb(200), DEFLATED), "deflate-too-large"),
    "millions of empty elements": (lambda: part_10(b"\x10\0\x10\0PN\0\0" * 2_500_000), "too-many-elements"),
}


@pytest.mark.fault(43)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_found_in_bounded_time_and_memory(name: str) -> None:
    """Each hostile file has its verdict within seconds and within the memory of a deflated set."""
    make, expected = HOSTILE[name]
    content = make()
    measured = len(content) < 2_000_000  # tracing slows millions of steps, which hold nothing anyway
    if measured:
        tracemalloc.start()
    began = time.process_time()
    try:
        verdict = look(content)
        peak = tracemalloc.get_traced_memory()[1] if measured else 0
    finally:
        tracemalloc.stop()
    assert verdict.why == expected
    assert verdict.why in dicom_header.WORDS
    assert time.process_time() - began < 20
    assert peak < 3 * dicom_window.MAX_INFLATED


def test_what_is_sound_is_sound() -> None:
    """Nesting within reason, both kinds of length, implicit VR, padding and a deflated set are in order."""
    sound = {
        "nothing but meta": part_10(b""),
        "nested, delimited": part_10(nested(20, delimited=True)),
        "nested, with lengths": part_10(nested(20, delimited=False)),
        "implicit": part_10(b"\x10\0\x10\0\x02\0\0\0ab", IMPLICIT),
        "implicit in UN": part_10(
            b"\x09\0\x10\x10UN\0\0" + OPEN + ITEM + OPEN + b"\x10\0\x10\0\x02\0\0\0ab" + ITEM_END + SEQUENCE_END
        ),
        "encapsulated": part_10(PIXELS + ITEM + b"\0\0\0\0" + ITEM + b"\x04\0\0\0" + b"abcd" + SEQUENCE_END),
        "padding": part_10(b"\x10\0\x10\0PN\x02\0ab" + b"\0\0\0"),
        "deflated": part_10(bomb(1), DEFLATED),
        "a vendor's own syntax": part_10(b"\x10\0\x10\0PN\x02\0ab", b"1.3.46.670589.33.1.4.1"),
    }
    assert {name: look(content) for name, content in sound.items() if look(content).why} == {}


def test_a_deflated_set_is_read_forwards_only_wherever_its_items_begin() -> None:
    """Items of every length, so that some begin just where the piece ends that is at hand, are in order."""
    told = {}
    for length in range(16, 64, 2):
        element = b"\x08\0\x50\x11UI" + struct.pack("<H", length) + b"1" * length
        items = (ITEM + OPEN + element + ITEM_END) * 3000
        deflater = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
        data_set = deflater.compress(b"\x40\0\x30\xa7SQ\0\0" + OPEN + items + SEQUENCE_END) + deflater.flush()
        told[length] = look(part_10(data_set, DEFLATED)).why
    assert {length: why for length, why in told.items() if why} == {}


def test_many_frames_are_no_fault() -> None:
    """An image whose frames are described one by one, in a sequence of their own, is walked as far as there is time."""
    frame = SEQUENCE + struct.pack("<L", 18) + ITEM + struct.pack("<L", 10) + b"\x10\0\x10\0PN\x02\0ab"
    frames = ITEM + struct.pack("<L", len(frame) * 4) + frame * 4
    content = part_10(SEQUENCE + struct.pack("<L", len(frames) * 100_000) + frames * 100_000)
    assert look(content).why == ""


@pytest.mark.parametrize("frames", [b"", b"0 ", b"1 "])
def test_an_image_that_counts_no_frames_is_one(frames: bytes) -> None:
    """A number of frames of 0 is against the standard, and viewers show the one frame: nothing is missing there."""
    size = struct.pack("<H", 16)
    described = {0x00280010: size, 0x00280011: size, 0x00280100: size, 0x00280008: frames}
    assert dicom_image.lengths(described, LITTLE.number)[-1] == 16 * 16 * 2


def test_a_failing_disk_is_a_verdict() -> None:
    """When the file cannot be read while it is walked, that is said, not raised."""

    def broken(_offset: int, _count: int) -> bytes:
        raise OSError(5, "Input/output error")

    assert examine(broken, 10_000).why == "unreadable"


def test_a_file_that_shrinks_is_a_verdict() -> None:
    """A file that is shorter than it was said to be ends past its end."""
    content = part_10(b"\x10\0\x10\0PN\x02\0ab")
    assert examine(lambda offset, count: content[offset : offset + count], len(content) + 5000).why == "past-end"


SAMPLES = [
    Path(str(get_testdata_file(name, download=False))).read_bytes()
    for name in ("CT_small.dcm", "JPEG2000.dcm", "image_dfl.dcm", "rtplan.dcm", "nested_priv_SQ.dcm", "reportsi.dcm")
]


@settings(max_examples=400, deadline=5000)
@given(
    sample=st.sampled_from(SAMPLES),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    cut=st.floats(0, 1),
    keep=st.booleans(),
)
def test_no_mutation_breaks_it(sample: bytes, changes: list[tuple[float, int]], cut: float, *, keep: bool) -> None:
    """Flipped bytes and cuts anywhere give a verdict of the documented words, with an offset inside what was read."""
    content = bytearray(sample if keep else sample[: int(len(sample) * cut)])
    for place, value in changes if content else ():
        # Most of the structure stands at the beginning.
        content[int((len(content) - 1) * place**3)] = value
    verdict = look(bytes(content))
    assert verdict.why == "" or verdict.why in dicom_header.WORDS
    assert 0 <= verdict.offset <= max(len(content), 256) + dicom_window.MAX_INFLATED


@pytest.mark.fault(43)
@settings(max_examples=200, deadline=5000)
@given(st.binary(max_size=400), st.sampled_from([EXPLICIT, IMPLICIT, DEFLATED, b"1.2.840.10008.1.2.2"]))
def test_no_data_set_breaks_it(data_set: bytes, syntax: bytes) -> None:
    """Random bytes behind a sound header give a verdict."""
    verdict = look(part_10(data_set, syntax))
    assert verdict.why == "" or verdict.why in dicom_header.WORDS
