"""The page cache is the archive's: what was read once for checking must not push out what it serves."""

import os

# Python 3.7 and Linux 4.14.
_READ = getattr(os, "preadv", None)
_ONLY_CACHED = getattr(os, "RWF_NOWAIT", 0)


def holds(opened, size):
    """Tell whether a file lies in the cache already: its first, middle and last page do. In doubt it does not.

    Not by mincore(2), which since Linux 5.2 says yes of every file that the caller does not own.
    """
    if not (_READ and _ONLY_CACHED):
        return False
    page = bytearray(1)
    try:
        for place in {0, size // 2, max(0, size - 1)}:
            _READ(opened, [page], place, _ONLY_CACHED)
    except OSError:
        return False
    return True


def forget(opened):
    os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
