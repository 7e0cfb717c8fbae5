"""How long native pixel data are, by the image's own description.

Source: DICOM PS3.5, 8.1.1 (native pixel data are packed, and padded to an even length); PS3.3, C.7.6.3 and C.7.6.6.
"""

import re

SOP_INSTANCE_UID = 0x00080018
_SAMPLES, _PHOTOMETRIC, _FRAMES = 0x00280002, 0x00280004, 0x00280008
_ROWS, _COLUMNS, _BITS_ALLOCATED = 0x00280010, 0x00280011, 0x00280100
DESCRIPTION = frozenset((SOP_INSTANCE_UID, _SAMPLES, _PHOTOMETRIC, _FRAMES, _ROWS, _COLUMNS, _BITS_ALLOCATED))
"""Elements of whose values the walk keeps the beginning."""
PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
"""Float, double float and integer pixel data, of which an image has one."""
_COUNT = re.compile(rb" *\+?([0-9]{1,10})[ \0]*\Z")
# Samples that chroma subsampling leaves of the three of a pixel: (numerator, denominator).
_SUBSAMPLED = {b"YBR_FULL_422": (2, 3), b"YBR_PARTIAL_422": (2, 3), b"YBR_PARTIAL_420": (1, 2)}


def lengths(description, number):
    """Give the lengths in bytes that the pixel data may have, the greatest last; none where it cannot be told.

    `description` has the values of `DESCRIPTION` as they stand; `number` takes the whole number out of one.
    """
    rows, columns, bits = (number(description.get(tag, b"")) for tag in (_ROWS, _COLUMNS, _BITS_ALLOCATED))
    frames = _frames(description.get(_FRAMES, b""))
    if None in (rows, columns, bits, frames):
        return ()
    bits *= rows * columns * frames * (number(description.get(_SAMPLES, b"")) or 1)
    numerator, denominator = _SUBSAMPLED.get(description.get(_PHOTOMETRIC, b"").strip(b" \0"), (1, 1))
    return _bytes(bits * numerator // denominator), _bytes(bits)


def _frames(value):
    """Take the number out of text; an image that says none, or 0 against the standard, is one frame."""
    if not value.strip(b" \0"):
        return 1
    found = _COUNT.match(value)
    return int(found.group(1)) or 1 if found else None


def _bytes(bits):
    return (bits + 15) // 16 * 2
