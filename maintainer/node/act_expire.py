"""Delete from one cleanup root's quarantine what has been there long enough: {"deleted_files", "deleted_bytes", …}.

The only file in which anything is unlinked. It starts from the open quarantine folder and can reach nothing else.
"""

import contextlib
import os
import stat
from collections import Counter

from maintainer.node import cleaning, folders, kernel, quarantine


def run(request, policy, deadline):
    root, folder = cleaning.requested_root(request, policy)
    with folders.closing(folder):
        opened = quarantine.open_quarantine(folder)
        eraser = _Eraser(opened, deadline)
        if opened is not None:
            with folders.closing(opened):
                eraser.erase_expired(root.keep_quarantined_seconds)
    answer = {"deleted_files": eraser.files, "deleted_bytes": eraser.bytes, "skipped": dict(eraser.skipped)}
    return dict(answer, more=eraser.more)


class _Eraser:
    def __init__(self, opened, deadline):
        self.files = self.bytes = 0
        self.skipped: "Counter[str]" = Counter()
        self.more = False
        self._quarantine, self._deadline = opened, deadline

    def erase_expired(self, keep_seconds):
        self._mount = folders.mount_id(self._quarantine)
        for batch in quarantine.batches(self._quarantine):
            if self.more:
                return
            if quarantine.has_expired(batch, keep_seconds):
                self._erase_batch(batch.name)
            else:
                self.skipped["young"] += 1
        os.fsync(self._quarantine)

    def _erase_batch(self, name):
        stamp = name.split(".", 1)[0]
        if name == stamp:
            # Deleting renews the folder's change time: without the new name a half-deleted batch would start anew.
            kernel.move(self._quarantine, name, self._quarantine, stamp + quarantine.EXPIRING)
        self._erase_folder(self._quarantine, stamp + quarantine.EXPIRING, cleaning.MAX_DEPTH)
        if not self._exists(stamp + quarantine.EXPIRING):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(stamp + quarantine.MANIFEST, dir_fd=self._quarantine)

    def _erase_folder(self, parent, name, depth):
        try:
            folder = folders.open_child(parent, name)
        except OSError:
            self.skipped["not-permitted"] += 1
            return
        with folders.closing(folder):
            if folders.mount_id(folder) != self._mount or not depth:
                self.skipped["mount" if depth else "too-deep"] += 1
                return
            with folders.entries(folder) as found:
                names = [entry.name for entry in found]
            for each in names:
                self._erase(folder, each, depth)
        with contextlib.suppress(OSError):  # not empty: something was left in it
            os.rmdir(name, dir_fd=parent)

    def _erase(self, folder, name, depth):
        self.more = self.more or self._deadline.passed()
        if self.more:
            return
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(status.st_mode):
            self._erase_folder(folder, name, depth - 1)
        elif not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            # Nothing of this kind was ever moved here: a person put it there.
            self.skipped["hard-link" if stat.S_ISREG(status.st_mode) else "special"] += 1
        else:
            self._unlink(folder, name, status)

    def _unlink(self, folder, name, status):
        try:
            os.unlink(name, dir_fd=folder)
        except OSError:
            self.skipped["not-permitted"] += 1
            return
        self.files += 1
        self.bytes += status.st_size

    def _exists(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.stat(name, dir_fd=self._quarantine, follow_symlinks=False)
            return True
        return False
