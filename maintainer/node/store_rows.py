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
_UUID = re.compile(r"(..)/(..)/\1\2[0-9a-f]{4}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def storable(mtime_ns):
    """A time of change as the ledger writes it; those after 2262, which a file may well have, are all the same."""
    return min(max(mtime_ns, UNKNOWN + 1), 2**63 - 1)


def name_of(path):
    """Write a path as the ledger does: ab/cd/abcd…, where a UUID tells its folders, in 16 bytes.

    >>> len(name_of("0f/1e/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")), name_of("2026/11/24/X")
    (16, '2026/11/24/X')
    """
    return bytes.fromhex(path[6:].replace("-", "")) if _UUID.match(path) else path


def path_of(name):
    if isinstance(name, str):
        return name
    text = name.hex()
    uuid = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    return "/".join((uuid[:2], uuid[2:4], uuid))
