"""pydicom's own files with anything done to them: the node reads each to a verdict, within a second and 64 MB."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintainer.node.dicom_header import WORDS
from tests.contract.node.examiner import SECONDS, Examiner
from tests.contract.node.hostile import DEFLATED, part_10

FOLDER = Path(str(pydicom.__file__)).parent / "data"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.read_bytes()[128:132] == b"DICM")
SHIPPED = 188
"""So many files of Part 10 come with pydicom 3.0."""
SEEN = set(WORDS) | {""}
# What lengths are made of where it hurts: open, almost, the greatest of either size, none, and delimiters.
NASTY = [
    b"\xff\xff\xff\xff",
    b"\xfe\xff\xff\xff",
    b"\xff\xff",
    b"\xff\x7f",
    b"\0\0\0\0",
    b"SQ\0\0\xff\xff\xff\xff",
    b"UN\0\0",
]
NASTY += [
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"\xfe\xff\x0d\xe0\0\0\0\0",
    b"\xfe\xff\xdd\xe0\0\0\0\0",
    b"\xe0\x7f\x10\0OW\0\0",
]


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examiner]:
    with Examiner(tmp_path_factory.mktemp("mutations")) as examiner:
        yield examiner


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Overwrite, put in, take out, repeat, cut off: up to eight times, mostly in the header, where the structure is."""
    content = bytearray(draw(st.sampled_from(FILES)).read_bytes())
    for _ in range(draw(st.integers(1, 8))):
        place = int(len(content) * draw(st.floats(0, 1)) ** 3)
        length = draw(st.integers(0, 64))
        what = draw(st.sampled_from(NASTY) | st.binary(max_size=32))
        match draw(st.sampled_from(["overwrite", "overwrite", "insert", "remove", "repeat", "cut"])):
            case "overwrite":
                content[place : place + len(what)] = what
            case "insert":
                content[place:place] = what
            case "remove":
                del content[place : place + length]
            case "repeat":
                content[place:place] = content[place : place + length] * draw(st.integers(1, 400))
            case "cut":
                del content[place:]
    return bytes(content)


RELAXED = settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.fault(43)
@RELAXED
@given(content=mutations())
def test_no_mutation_breaks_the_reading(examiner: Examiner, content: bytes) -> None:
    """A verdict of the documented words, in time and memory, whatever was done to the file."""
    told = examiner.look(content)
    assert told.why in SEEN
    assert told.seconds < SECONDS


@pytest.mark.fault(43)
@RELAXED
@given(content=mutations(), cut=st.integers(0, 400))
def test_no_mutation_within_a_deflated_set_breaks_the_reading(examiner: Examiner, content: bytes, cut: int) -> None:
    """The same, where the data set has to be expanded first."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(content[132:]) + packer.flush()
    told = examiner.look(part_10(packed[: len(packed) - cut], DEFLATED))
    assert told.why in SEEN
    assert told.seconds < SECONDS


@pytest.mark.fault(43)
def test_every_file_of_pydicom_is_read_in_time(examiner: Examiner) -> None:
    """Also as it is, and with its pixels' length one more than there is."""
    assert len(FILES) == SHIPPED
    for path in FILES:
        content = path.read_bytes()
        place = content.rfind(b"\xe0\x7f\x10\0OW\0\0")
        spoilt = content[: place + 8] + struct.pack("<L", len(content)) + content[place + 12 :]
        seen = [examiner.look(one) for one in (content, spoilt if place > 0 else content)]
        assert {one.why for one in seen} <= SEEN
        assert max(one.seconds for one in seen) < SECONDS
        assert place < 0 or seen[1].why, path.name
