"""Which files of a cleanup root are due, found without ever leaving the root.

Only regular files with one link, old enough and of a declared pattern, on the mount that the root itself is on. All
else is counted by the reason why it is left alone.
"""

import contextlib
import os
import stat
import time
from collections import Counter, namedtuple
from fnmatch import fnmatchcase

from maintainer.node import folders
from maintainer.node.envelope import Refused, mapping

QUARANTINE = ".maintainer-quarantine"
MAX_ENTRIES = 1000000
MAX_DEPTH = 64


class Found(namedtuple("Found", ["folder", "parts", "name", "status", "age"])):
    """A due file in an open folder, whose path below the root is `parts`; `age` in seconds."""

    __slots__ = ()


class Problem(Exception):
    """Why a root cannot be cleaned at all, in a few words."""


def requested_root(request, policy):
    """Open the root that a request names.

    Raises:
        Refused: it is not a root of the policy, or not one to clean.
    """
    mapping(request, "request", ("root",))
    root = policy.root(request["root"])
    try:
        return root, open_root(root, policy.store)
    except Problem as problem:
        raise Refused("{}: {}".format(root.path, problem), "correct it on the node or in the inventory") from problem


def open_root(root, store):
    """Open a root that is a real folder and does not overlap the store, whatever names lead there.

    Raises:
        Problem: it is not, or it cannot be told.
    """
    try:
        folder = folders.open_absolute(root.path)
    except FileNotFoundError:
        raise Problem("root missing") from None
    except folders.BehindLink:
        last = os.path.islink(root.path)
        raise Problem("root is a symlink" if last else "root lies behind a symlink") from None
    except NotADirectoryError:
        raise Problem("root is not a folder") from None
    except OSError as error:
        raise Problem("root cannot be opened: {}".format(error.strerror)) from None
    try:
        if store:
            _check_apart(folder, store.path)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _check_apart(folder, store_path):
    try:
        store = os.open(store_path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise Problem("it cannot be told whether root lies on the store: {}".format(error.strerror)) from None
    with folders.closing(store):
        paths = [("", os.readlink("/proc/self/fd/{}".format(each))) for each in (folder, store)]
        if folders.overlap(*paths) or folders.overlap(folders.place(folder), folders.place(store)):
            raise Problem("root lies on the store")


class Walk:
    """One bounded walk through an open root. After it, `skipped` and `more` say what it left out."""

    def __init__(self, folder, root, deadline, at_most=MAX_ENTRIES):
        self.folder, self.root, self.deadline = folder, root, deadline
        self.mount = folders.mount_id(folder)
        self.device = os.fstat(folder).st_dev
        self.skipped: "Counter[str]" = Counter()
        self.more = False
        self._left, self._now = at_most, time.time()

    def files(self):
        """Give each due file while its folder is open. What is done to it meanwhile does not disturb the walk."""
        return self._files(self.folder, ())

    def _files(self, folder, parts):
        for name in self._names(folder):
            status = _look(folder, name)
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                for found in self._below(folder, parts, name):
                    yield found
            elif any(fnmatchcase(name, pattern) for pattern in self.root.patterns):
                why = self.why_not(status) or self._elsewhere(folder, name, status)
                if why:
                    self.skipped[why] += 1
                else:
                    yield Found(folder, parts, name, status, self._age(status))

    def _names(self, folder):
        with folders.entries(folder) as found:
            for entry in found:
                self._left -= 1
                if self._left < 0 or self.deadline.passed():
                    self.more = True
                    return
                yield entry.name

    def _below(self, folder, parts, name):
        if not parts and name == QUARANTINE:
            return
        if len(parts) >= MAX_DEPTH:
            self.skipped["too-deep"] += 1
            return
        try:
            below = folders.open_child(folder, name)
        except OSError:
            self.skipped["not-permitted"] += 1
            return
        with folders.closing(below):
            if folders.mount_id(below) != self.mount or os.fstat(below).st_dev != self.device:
                self.skipped["mount"] += 1
                return
            for found in self._files(below, (*parts, name)):
                yield found

    def why_not(self, status):
        """Say why a file is left alone, or "" when it is due."""
        if stat.S_ISLNK(status.st_mode):
            return "symlink"
        if not stat.S_ISREG(status.st_mode):
            return "special"
        if status.st_nlink != 1:
            return "hard-link"
        return "young" if self._age(status) < self.root.older_than_seconds else ""

    def _elsewhere(self, folder, name, status):
        """Say so of a file of another mount. In an overlay files have other devices than folders, and one mount."""
        if status.st_dev == self.device:
            return ""
        try:
            pinned = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            return "not-permitted"
        with folders.closing(pinned):
            return "" if folders.mount_id(pinned) == self.mount else "mount"

    def _age(self, status):
        return self._now - (status.st_ctime if self.root.age_by == "ctime" else status.st_mtime)


def _look(folder, name):
    with contextlib.suppress(OSError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    return None
