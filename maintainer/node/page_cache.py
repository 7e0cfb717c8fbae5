"""The page cache is the archive's: what was read once for checking must not push out what it serves."""

import os

# Python 3.7 and Linux 4.14.
_READ = getattr(os, "preadv", None)
_ONLY_CACHED = getattr(os, "RWF_NOWAIT", 0)


def read(opened, buffer, offset=0):
    """Read as much of a file from there on as the buffer takes and lies in the cache; answers how much that was.

    Nothing is fetched from the disk. Where it cannot be told what lies in the cache, nothing is read.
    """
    try:
        return _READ(opened, [buffer], offset, _ONLY_CACHED) if _READ and _ONLY_CACHED else 0
    except OSError:
        return 0


def holds(opened, place):
    """Tell whether a page of a file, and so probably all of it, lies in the cache already. In doubt it does not.

    Not by mincore(2), which since Linux 5.2 says yes of every file that the caller does not own.
    """
    return place < 0 or bool(read(opened, bytearray(1), place))


def fetch(opened, offset, count):
    """Let the disk fetch a part meanwhile; nobody waits for it."""
    os.posix_fadvise(opened, offset, count, os.POSIX_FADV_WILLNEED)


def forget(opened):
    os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
