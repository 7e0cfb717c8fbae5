"""The folder of DICOM objects, for reading. Nothing here opens, renames or removes anything for writing."""

import os

from maintainer.node import folders

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_MAX_PATH = 4096


class Store:
    """Read-only access by paths relative to the store; a link anywhere below it is not followed."""

    def __init__(self, path, is_object):
        self.path, self.is_object = path, is_object

    def present(self):
        """Tell whether the folder is there and not empty: an unmounted one is an empty one."""
        try:
            with os.scandir(self.path) as found:
                return next(found, None) is not None
        except (FileNotFoundError, NotADirectoryError):
            return False

    def open_top(self):
        # The store's own path may be a link: administrators move stores to larger disks that way.
        return os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def open_object(self, top, path):
        """Open the file at `path` below the open store, without ever waiting for it.

        Raises:
            ValueError: the path leads out of the store or is none.
            OSError: ELOOP for a link on the way, else whatever opening says.
        """
        return folders.open_below(top, parts(path), _READ)

    def open_folder(self, folder, name):
        return folders.open_child(folder, name)

    def entries(self, folder):
        return folders.entries(folder)


def parts(path):
    """Split a relative path.

    Raises:
        ValueError: it is absolute, too long, or has a part that is no name.
    """
    if not isinstance(path, str) or not 0 < len(path) <= _MAX_PATH or "\0" in path:
        raise ValueError("a path of an object is a text of 1 to 4096 characters")
    found = path.split("/")
    if any(part in ("", ".", "..") for part in found):
        raise ValueError("a path of an object is relative to the store and has no . or ..")
    return found
