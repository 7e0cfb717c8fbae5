"""The folder of DICOM objects, for reading. Nothing here opens, renames or removes anything for writing."""

import os
import re

from maintainer.node import folders, kernel

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_PATH = 4096
_LEADS_ELSEWHERE = re.compile(r"(?:\A|/)\.{0,2}(?:/|\Z)")


class Store:
    """Read-only access by paths relative to the store; a link anywhere below it is not followed."""

    def __init__(self, path, is_object):
        self.path, self.is_object = path, is_object
        # Who owns a file may read it without leaving a trace on it, and root may, but for some containers.
        self._open_beneath = kernel.beneath(_READ | (os.O_NOATIME if os.geteuid() == 0 else 0))

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
        names = parts(path)
        opened = self._open_beneath(top, path)
        # Step by step it takes longer, is allowed wherever reading is, and tells why it cannot be.
        return opened if opened >= 0 else folders.open_below(top, names, _READ)

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
    if _LEADS_ELSEWHERE.search(path):
        raise ValueError("a path of an object is relative to the store and has no . or ..")
    return path.split("/")
