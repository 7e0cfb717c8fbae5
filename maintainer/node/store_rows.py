"""What the ledger writes for an object in as few bytes as will do: turns, verdicts, and paths.

A row that grows splits its page, and leaves two that are half empty; so what is not known yet has its place kept.
"""

import re

NEVER = 256
"""In place of a turn, for what was not read yet. All turns are greater: two bytes each, for ninety years of nights."""
UNKNOWN = -(2**63)
"""In place of a time of change, in eight bytes as well."""
UNREAD, ARCHIVE, BASELINE, BASELINED = range(2, 6)
"""Not read yet; verified against the archive's digest; against our earlier reading; read for the first time without
a digest of the archive. What is greater deviates."""
FIRST_DEVIATION = 10
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ALPHABETS = ("./0123456789", "/0123456789ABCDEF", "-/0123456789abcdef")
"""Of which archives make up paths: dates, UIDs and hashes. Such an end of a path is a number to that base."""
_MARKS = 253
"""Ends what is kept as text, and says which alphabet follows: UTF-8 has no byte from here on."""
_LIKE_A_UUID = 16
_UUID = re.compile(r"(..)/(..)/\1\2[0-9a-f]{4}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

_TO_DIGITS = tuple(str.maketrans(letters, _DIGITS[: len(letters)]) for letters in _ALPHABETS)


def storable(mtime_ns):
    """A time of change as the ledger writes it; those after 2262, which a file may well have, are all the same."""
    return min(max(mtime_ns, UNKNOWN + 1), 2**63 - 1)


def name_of(path):
    """Write a path as the ledger does: ab/cd/abcd…, where a UUID tells its folders, in 16 bytes; else, of one that ends
    in digits, these as a number, and what is before them as it is.

    >>> len(name_of("0f/1e/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"))
    16
    >>> len("fs1/2026/11/24/0A1B2C3D/4E5F6071/8293A4B5"), len(name_of("fs1/2026/11/24/0A1B2C3D/4E5F6071/8293A4B5"))
    (41, 23)
    >>> name_of("2026/11/24/image.dcm")
    '2026/11/24/image.dcm'
    """
    if _UUID.match(path):
        return bytes.fromhex(path[6:].replace("-", ""))
    head, number = min(((path.rstrip(letters), number) for number, letters in enumerate(_ALPHABETS)), key=_length)
    written = head.encode("utf-8", "surrogatepass") + bytes((_MARKS + number,)) + _packed(path[len(head) :], number)
    return path if len(written) == _LIKE_A_UUID or len(written) >= len(path) else written


def _length(found):
    return len(found[0])


def _packed(text, number):
    # The one in front keeps what is zero at the beginning.
    value = int("1" + text.translate(_TO_DIGITS[number]), len(_ALPHABETS[number]))
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _unpacked(packed, letters):
    value, found = int.from_bytes(packed, "big"), []
    while value >= len(letters):
        value, place = divmod(value, len(letters))
        found.append(letters[place])
    return "".join(reversed(found))


def path_of(name):
    if isinstance(name, str):
        return name
    if len(name) != _LIKE_A_UUID:
        place = next(place for place, byte in enumerate(name) if byte >= _MARKS)
        head = name[:place].decode("utf-8", "surrogatepass")
        return head + _unpacked(name[place + 1 :], _ALPHABETS[name[place] - _MARKS])
    text = name.hex()
    uuid = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    return "/".join((uuid[:2], uuid[2:4], uuid))
