"""A plain tree of files learnt by walking it: what the ledger does not know is an object of it from now on."""

import os
import stat

from maintainer.node import store_counting
from maintainer.node import store_ledger as ledger
from maintainer.node.folders import BehindLink
from maintainer.node.object_reading import DICOM, OTHER
from maintainer.node.store_learning import adopt
from maintainer.node.store_reading import LEAST_SURPRISES
from maintainer.node.store_rows import FIRST_DEVIATION, path_of
from maintainer.node.store_strays import Walk

_SAMPLE = 2000
_NEXT = "SELECT key, name FROM objects WHERE key >= ? AND verdict < ? ORDER BY key LIMIT 1"
_MAGIC, _AT = b"DICM", 128


class Adopting(Walk):
    """A walk on which no file is a stray. `objects` and `bytes`: how much was new."""

    def __init__(self, opened, store, grace, deadline):
        super().__init__(opened, store, grace, deadline)
        self.objects = self.bytes = 0
        self._key = store_counting.last_key(opened)

    def _forget_what_is_no_stray(self, _top):
        self._opened.execute("DELETE FROM strays")

    def _found(self, top, path):
        try:
            file = self._store.open_object(top, path)
        except (FileNotFoundError, NotADirectoryError, BehindLink):
            return  # gone again, or no file any more
        except ValueError:
            self._skip("too-deep", 1)
            return
        except OSError as error:
            self._skip("not-permitted" if isinstance(error, PermissionError) else "unreadable", 1)
            return
        try:
            self._take_in(path, os.fstat(file), file)
        finally:
            os.close(file)

    def _take_in(self, path, status, file):
        if not stat.S_ISREG(status.st_mode):
            return
        self._key += 1
        adopt(self._opened, self._key, path, status.st_size, _kind(file))
        self.objects += 1
        self.bytes += status.st_size


def missed(opened, store, share, deadline):
    """Say how many of how many known objects are not there, or nothing when they are no more than may be missing.

    Files that are new are believed only where those are that were there before: else another tree is mounted, and its
    files would hide that all of this one are missing.
    """
    sample, top = _sample(opened), store.open_top()
    try:
        gone = sum(not deadline.passed() and _is_gone(store, top, path) for path in sample)
    finally:
        os.close(top)
    return (gone, len(sample)) if gone >= LEAST_SURPRISES and gone > share * len(sample) else None


def _sample(opened):
    """Give paths of objects that were not known to deviate, evenly over all keys."""
    last, found = store_counting.last_key(opened), {}
    for key in range(1, last + 1, last // _SAMPLE + 1):
        row = ledger.first(opened, _NEXT, (key, FIRST_DEVIATION))
        if row:
            found[row[0]] = path_of(row[1])
    return list(found.values())


def _is_gone(store, top, path):
    try:
        os.close(store.open_object(top, path))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False  # it is there, and what is wrong with it the reading tells
    return False


def _kind(file):
    """Only of DICOM files the structure is looked at. Of the file one page is fetched, and no more before its turn."""
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
        return DICOM if os.pread(file, len(_MAGIC), _AT) == _MAGIC else OTHER
    except OSError:
        return OTHER  # the reading tells that it cannot be read
