"""Move what is due in one cleanup root into its quarantine: {"moved_files", "moved_bytes", "skipped", "batch", "more"}.

A file is looked at through a descriptor that pins it, moved by the kernel within one filesystem and never over
anything, and looked at again: what turns out to be another file goes straight back.
"""

import contextlib
import errno
import os

from maintainer.node import cleaning, folders, kernel, quarantine

_PIN = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def run(request, policy, deadline):
    root, folder = cleaning.requested_root(request, policy)
    with folders.closing(folder):
        walk = cleaning.Walk(folder, root, deadline)
        with _Mover(walk) as mover:
            for found in walk.files():
                mover.move(found)
    skipped = {why: count for why, count in walk.skipped.items() if count}
    answer = {"moved_files": mover.files, "moved_bytes": mover.bytes, "skipped": skipped}
    return dict(answer, batch=mover.batch, more=walk.more)


class _Mover:
    """Moves files into one batch, which is made when the first one is due."""

    def __init__(self, walk):
        self.files = self.bytes = 0
        self.batch = None
        self._walk = walk
        self._open = contextlib.ExitStack()
        self._target = None  # (parts, open folder) of the folder that was moved to last

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._target:
            os.close(self._target[1])
        self._open.close()

    def move(self, found):
        try:
            why = self._try(found)
        except FileNotFoundError:
            return  # gone by itself
        except PermissionError:
            why = "not-permitted"
        except FileExistsError:
            why = "name-taken"
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EXDEV):
                raise
            why = "mount"
        if why:
            self._walk.skipped[why] += 1
        else:
            self.files += 1
            self.bytes += found.status.st_size

    def _try(self, found):
        with folders.closing(os.open(found.name, _PIN, dir_fd=found.folder)) as pinned:
            status = os.fstat(pinned)
            why = self._walk.why_not(status)
            if not why and folders.mount_id(pinned) != self._walk.mount:
                why = "mount"
            return why or self._move_pinned(found, status)

    def _move_pinned(self, found, status):
        target = self._folder(found.parts)
        path = "/".join((*found.parts, found.name))
        self._manifest.will_move(path, status)
        kernel.move(found.folder, found.name, target, found.name)
        moved = os.stat(found.name, dir_fd=target, follow_symlinks=False)
        if (moved.st_dev, moved.st_ino, moved.st_nlink) == (status.st_dev, status.st_ino, 1):
            return ""
        # Somebody put another file in its place at that very moment. It is not ours to move.
        kernel.move(target, found.name, found.folder, found.name)
        self._manifest.left_in_place(path, "swapped")
        return "swapped"

    def _folder(self, parts):
        if self.batch is None:
            self._begin()
        if self._target is None or self._target[0] != parts:
            opened = _make_below(self._top, parts)
            if self._target:
                os.close(self._target[1])
            self._target = (parts, opened)
        return self._target[1]

    def _begin(self):
        opened = self._open.enter_context(folders.closing(quarantine.make_quarantine(self._walk.folder)))
        batch, self._manifest = quarantine.new_batch(opened, self._walk.root.path)
        self._open.callback(os.fsync, opened)
        self._open.callback(self._manifest.close)
        self._top = self._open.enter_context(folders.closing(folders.open_child(opened, batch)))
        self.batch = batch


def _make_below(top, parts):
    current = os.dup(top)
    for part in parts:
        with folders.closing(current):
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o700, dir_fd=current)
            following = folders.open_child(current, part)
        current = following
    return current
