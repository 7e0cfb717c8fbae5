"""A plain tree of files learnt by walking it: what the ledger does not know is an object of it from now on."""

import os
import stat

from maintainer.node import store_counting
from maintainer.node import store_ledger as ledger
from maintainer.node.folders import BehindLink
from maintainer.node.object_reading import DICOM, OTHER
from maintainer.node.store_judging import Judgement
from maintainer.node.store_learning import adopt
from maintainer.node.store_objects import Row
from maintainer.node.store_reading import LEAST_SURPRISES
from maintainer.node.store_rows import FIRST_DEVIATION, path_of
from maintainer.node.store_strays import Walk

_SAMPLE = 2000
_NEXT = "SELECT key, name FROM objects WHERE key >= ? AND verdict < ? ORDER BY key LIMIT 1"
_SOUND = """
SELECT key, name, size, form, proof, looked, mtime_ns, verdict, NULL FROM objects
WHERE key > ? AND verdict < ? ORDER BY key LIMIT 20000
"""
"""In the order of `Row`."""
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


class Presence:
    """Whether what is known is there, before anything new is believed: of a sample, evenly over all.

    Else, where another tree is mounted, its files would be new and read first, and hide that all of this one are gone.
    """

    def __init__(self, opened, store, deadline):
        self._opened, self._store, self._deadline = opened, store, deadline
        self.sample = self.gone = 0

    def look(self):
        paths, top = _sample(self._opened), self._store.open_top()
        try:
            self.sample = len(paths)
            self.gone = sum(self._is_gone(top, path) for path in paths)
        finally:
            os.close(top)

    def is_lost(self, share):
        return self.gone >= LEAST_SURPRISES and self.gone > share * self.sample

    def note_missing(self):
        """Find all that are gone. Else each night until all has been read would find as many, and think it lost."""
        top, after = self._store.open_top(), 0
        try:
            with ledger.change(self._opened):
                turn = ledger.begin_turn(self._opened)
            while not self._deadline.passed():
                rows = [Row(*fields) for fields in self._opened.execute(_SOUND, (after, FIRST_DEVIATION))]
                if not rows:
                    return
                after = rows[-1].key
                # Looking gives way to the archive, for as long as it takes: the ledger is not held open meanwhile.
                gone = [row for row in rows if self._is_gone(top, row.path)]
                with ledger.change(self._opened):
                    for row in gone:
                        ledger.deviate(self._opened, row, turn, row.good, Judgement("missing"))
        finally:
            os.close(top)

    def _is_gone(self, top, path):
        """Nothing is, once the time is over."""
        if self._deadline.passed():
            return False
        try:
            os.close(self._store.open_object(top, path))
        except (FileNotFoundError, NotADirectoryError):
            return True
        except (OSError, ValueError):
            return False  # it is there, and what is wrong with it the reading tells
        return False


def _sample(opened):
    """Give paths of objects that were not known to deviate, evenly over all keys."""
    last, found = store_counting.last_key(opened), {}
    for key in range(1, last + 1, last // _SAMPLE + 1):
        row = ledger.first(opened, _NEXT, (key, FIRST_DEVIATION))
        if row:
            found[row[0]] = path_of(row[1])
    return list(found.values())


def _kind(file):
    """Only of DICOM files the structure is looked at. Of the file one page is fetched, and no more before its turn."""
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
        return DICOM if os.pread(file, len(_MAGIC), _AT) == _MAGIC else OTHER
    except OSError:
        return OTHER  # the reading tells that it cannot be read
