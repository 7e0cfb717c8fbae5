"""Sound images to fill a store with."""

import struct
from pathlib import Path

from pydicom.data import get_testdata_file

IMAGE = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()


def image(number: int) -> bytes:
    """An image that differs from the others in its pixels."""
    return IMAGE[:-8] + struct.pack("<Q", number)
