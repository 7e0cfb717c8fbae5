"""Files of the store that the ledger does not know, found by walking it, a part each night if one is too short."""

import os
import stat
from typing import Container, Dict

from maintainer.node import store_ledger as ledger
from maintainer.node.observe_store_list import Listing
from maintainer.node.store_known import Known

_AT_ONCE = 20000
_AFTER = "walk-after"


class Walk:
    """`complete` when the walk came to the last file of the store; else the next one goes on where it stopped."""

    def __init__(self, opened, store, grace, deadline):
        self.files, self.complete = 0, False
        self.skipped: Dict[str, int] = {}
        self._opened, self._store, self._grace, self._deadline = opened, store, grace, deadline
        self._known: Container[str] = ()

    def run(self):
        top = self._store.open_top()
        self._known = Known(self._opened)
        try:
            with ledger.change(self._opened):
                self._forget_what_is_no_stray(top)
            while not self.complete and not self._deadline.passed():
                with ledger.change(self._opened):
                    self._a_part(top)
        finally:
            os.close(top)

    def _a_part(self, top):
        listing = Listing(self._store, _AT_ONCE, self._grace, self._deadline)
        listing.add_folder(top, "", ledger.get(self._opened, _AFTER) or "", 0)
        for path in listing.files:
            if path not in self._known:
                self._found(top, path)
        self.files += len(listing.files)
        for why, count in listing.skipped.items():
            self._skip(why, count)
        self.complete = not listing.more
        if self.complete:
            ledger.forget(self._opened, _AFTER)
        elif listing.files:
            ledger.put(self._opened, **{_AFTER: listing.files[-1]})

    def _found(self, _top, path):
        self._opened.execute("INSERT OR IGNORE INTO strays VALUES (?, ?, 0)", (path, ledger.now()))

    def _skip(self, why, count):
        self.skipped[why] = self.skipped.get(why, 0) + count

    def _forget_what_is_no_stray(self, top):
        """What has been indexed or removed since."""
        for (path,) in self._opened.execute("SELECT path FROM strays").fetchall():
            if self._deadline.passed():
                return
            if path in self._known or not self._is_there(top, path):
                self._opened.execute("DELETE FROM strays WHERE path = ?", (path,))

    def _is_there(self, top, path):
        try:
            opened = self._store.open_object(top, path)
        except (OSError, ValueError):
            return False
        try:
            return stat.S_ISREG(os.fstat(opened).st_mode)
        finally:
            os.close(opened)
