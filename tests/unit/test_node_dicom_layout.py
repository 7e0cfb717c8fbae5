"""A structure that is known again has the verdict that walking it would give, whatever the bytes are."""

import struct
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.node import dicom_layout
from maintainer.node.dicom_header import Verdict, examine
from maintainer.node.dicom_layout import Layouts

FOLDER = Path(str(pydicom.__file__)).parent / "data"
FILES = [p.read_bytes() for p in sorted(FOLDER.rglob("*.dcm")) if p.stat().st_size < 100_000]
SOUND = [content for content in FILES if content[128:132] == b"DICM"]
ROWS = struct.pack("<HH2sH", 0x0028, 0x0010, b"US", 2)
MAKER = struct.pack("<HH2sH", 0x0008, 0x0070, b"LO", 18)
NUMBER = struct.pack("<HH2sH", 0x0020, 0x0013, b"IS", 2)
PADDING = struct.pack("<HH2sH", 0xFFFC, 0xFFFC, b"OB", 0)
UID = struct.pack("<HH2s", 0x0008, 0x0018, b"UI")
PIXELS = struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW")
PIECE = 8 * 1024
"""The walk asks for more at once, where there is more."""


def walked(content: bytes) -> Verdict:
    return examine(lambda offset, count: content[offset : offset + count], len(content))


def knowing(content: bytes) -> Layouts:
    """Layouts that have seen a file often enough to know it again."""
    layouts = Layouts()
    for _ in range(2):
        layouts.examine(content)
    return layouts


@pytest.fixture
def image() -> bytes:
    """A slice as most are: its pixels come last."""
    content = (FOLDER / "test_files" / "CT_small.dcm").read_bytes()
    return content[: content.index(PADDING)]


class Watched(bytes):
    """Content of a file that notes whether a walk asked for pieces of it."""

    walked = False

    def __getitem__(self, part: object) -> bytes:
        assert isinstance(part, slice)
        piece = super().__getitem__(part)
        self.walked = self.walked or len(piece) > PIECE
        return piece


def shifted(content: bytes) -> bytes:
    """As large as before: its manufacturer's name takes two bytes less, its instance number two more."""
    place = content.index(MAKER)
    content = content[:place] + MAKER[:-2] + struct.pack("<H", 16) + content[place + len(MAKER) + 2 :]
    place = content.index(NUMBER)
    return content[:place] + NUMBER[:-2] + b"\x04\x00100 " + content[place + len(NUMBER) + 2 :]


def test_the_next_slice_of_a_series_is_not_walked(image: bytes) -> None:
    """The third of three that differ in values only is known by its layout, and its own UID is told."""
    layouts = knowing(image)
    place = image.index(UID) + 8
    other = Watched(image[:place] + b"9" + image[place + 1 : -1] + b"x")
    verdict = layouts.examine(other)
    assert not other.walked
    assert verdict == walked(other)
    assert verdict.uid.startswith(b"9")
    assert other.walked


def test_several_layouts_may_begin_alike(image: bytes) -> None:
    """One element is longer and another shorter: both layouts are known, and neither forgets the other."""
    layouts = Layouts()
    for _ in range(3):
        last = [Watched(image), Watched(shifted(image))]
        for content in last:
            assert not layouts.examine(content).why
    assert len(last[0]) == len(last[1])
    assert [content.walked for content in last] == [False, False]


def test_what_describes_the_image_is_looked_at(image: bytes) -> None:
    """As many bytes with another number of rows are not what they were, although every tag and length is."""
    place = image.index(ROWS) + 8
    other = image[:place] + struct.pack("<H", 129) + image[place + 2 :]
    assert knowing(image).examine(other).why == "pixels-too-short"


def test_no_more_layouts_are_kept_than_are_worth_it(image: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that have nothing in common do not fill the memory."""
    monkeypatch.setattr(dicom_layout, "_MOST", 3)
    layouts = Layouts()
    for padding in range(0, 40, 2):
        content = image + struct.pack("<HH2sHL", 0xFFFC, 0xFFFC, b"OB", 0, padding) + b"\0" * padding
        assert layouts.examine(content) == walked(content)
    assert len(layouts._known) <= 3


def test_what_is_never_known_again_is_not_tried_for_ever(image: bytes) -> None:
    """Padding behind the pixels lies too far from the beginning: after some tries, such a file is only walked."""
    padded = image + PADDING + struct.pack("<L", 100) + b"\0" * 100
    layouts = Layouts()
    for _ in range(20):
        assert layouts.examine(padded) == walked(padded)
    assert list(layouts._known.values()) == [[None] * 8]


@pytest.mark.parametrize("number", range(len(SOUND)))
def test_each_known_file_is_judged_as_by_its_walk(number: int) -> None:
    """Of every file of the corpus, seen for the third time."""
    assert knowing(SOUND[number]).examine(SOUND[number]) == walked(SOUND[number])


@given(number=st.integers(0, len(SOUND) - 1), share=st.floats(0, 1), mask=st.integers(1, 255))
def test_a_changed_byte_is_judged_as_by_the_walk(number: int, share: float, mask: int) -> None:
    """Wherever in a known file a byte has changed, in its header most of all."""
    content = bytearray(SOUND[number])
    layouts = knowing(bytes(content))
    place = int(share**4 * (len(content) - 1))
    content[place] ^= mask
    assert layouts.examine(bytes(content)) == walked(bytes(content))


def test_every_byte_of_a_header_counts_as_in_the_walk() -> None:
    """One after another is changed in a file that is known."""
    image = (FOLDER / "test_files" / "MR_small.dcm").read_bytes()
    for place in range(128, image.index(PIXELS) + 12):
        content = bytearray(image)
        content[place] ^= 0x41
        assert knowing(image).examine(bytes(content)) == walked(bytes(content)), place
