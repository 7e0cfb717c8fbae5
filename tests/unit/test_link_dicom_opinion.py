"""What pydicom is said to make of an object's first bytes."""

import tracemalloc
import zlib
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from maintainer.links.dicom_opinion import header_opinion

DEFLATED = b"1.2.840.10008.1.2.1.99\x00\x00"


def test_data(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


test_data.__test__ = False  # type: ignore[attr-defined]  # (pytest would take it for a test)


def preamble(transfer_syntax: bytes) -> bytes:
    """A file's start, up to and with its meta group."""
    uid = b"\x02\x00\x10\x00UI" + len(transfer_syntax).to_bytes(2, "little") + transfer_syntax
    return bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + len(uid).to_bytes(4, "little") + uid


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "image_dfl.dcm", "JPEG2000.dcm", "ExplVR_BigEnd.dcm"])
@pytest.mark.parametrize("length", [200, 1_000, 4_096, 10_000_000])
def test_a_sample_that_ends_before_the_object_is_no_complaint(name: str, length: int) -> None:
    """Wherever the first bytes are cut off, what is there parses."""
    assert header_opinion(test_data(name)[:length]) == ""


@pytest.mark.parametrize("content", [b"", b"short", bytes(1_000), b"<html>" * 100])
def test_what_is_not_dicom_is_called_so(content: bytes) -> None:
    """Without the prefix there is nothing to parse; nothing is read by force."""
    assert header_opinion(content) == "InvalidDicomError"


def test_a_complaint_is_a_name_alone() -> None:
    """A damaged header's own text, which may be a patient's name, stays out."""
    content = preamble(b"1.2.840.10008.1.2.1\x00") + b"\x10\x00\x10\x00PN\x08\x00DOE^JANE" + b"\xfe\xff\x00\xe0" * 40
    said = header_opinion(content)
    assert said.isidentifier() or said == ""
    assert "DOE" not in said


def test_twenty_thousand_nested_sequences_end_in_a_name() -> None:
    """Hostile nesting is a complaint, not a crash."""
    item = b"\x08\x00\x15\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    assert header_opinion(preamble(b"1.2.840.10008.1.2.1\x00") + item * 20_000) == "RecursionError"


def test_a_deflate_bomb_is_not_expanded() -> None:
    """A hundred kilobytes that hold 100 MB cost a megabyte or two of memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    header_opinion(preamble(DEFLATED))
    tracemalloc.start()
    header_opinion(preamble(DEFLATED) + bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_damaged_deflate_stream_is_a_complaint() -> None:
    """What cannot be expanded cannot be read."""
    assert header_opinion(preamble(DEFLATED) + b"\xff" * 100) == "DeflateError"
