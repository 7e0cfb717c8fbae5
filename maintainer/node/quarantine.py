"""Where files of a cleanup root wait before they are deleted: `<root>/.maintainer-quarantine/<UTC stamp>/…`.

Beside each stamp's folder lies `<stamp>.jsonl`, which says what came from where. `<stamp>.expiring` is a folder whose
time is over and whose deletion has begun.
"""

import contextlib
import json
import os
import re
import stat
import time
from calendar import timegm
from collections import namedtuple

from maintainer.node import folders
from maintainer.node.cleaning import QUARANTINE
from maintainer.node.envelope import Refused

EXPIRING = ".expiring"
MANIFEST = ".jsonl"
_STAMP = re.compile(r"(\d{8}T\d{6}Z)(-\d+)?(\.expiring)?\Z")
_FORMAT = "%Y%m%dT%H%M%SZ"
_STAMP_LENGTH = 16
_MOST_IN_A_SECOND = 1000


class Batch(namedtuple("Batch", ["name", "moved_at"])):
    """One folder of the quarantine; `moved_at` in seconds since the epoch, infinite when it is not known."""

    __slots__ = ()


def open_quarantine(folder):
    """Open the quarantine of an open root, or None where there is none.

    Raises:
        Refused: it is not a plain folder of ours, so that somebody else decides what is in it.
    """
    try:
        found = folders.open_child(folder, QUARANTINE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused("{} is not a plain folder".format(QUARANTINE), "look who made it") from error
    try:
        _check_ours(found, folder)
    except BaseException:
        os.close(found)
        raise
    return found


def make_quarantine(folder):
    with contextlib.suppress(FileExistsError):
        os.mkdir(QUARANTINE, 0o700, dir_fd=folder)
    return open_quarantine(folder)


def _check_ours(found, folder):
    status = os.fstat(found)
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise Refused("{} is not closed to other users".format(QUARANTINE), "it must belong to us and have mode 0700")
    if folders.mount_id(found) != folders.mount_id(folder) or status.st_dev != os.fstat(folder).st_dev:
        raise Refused("{} is a mount of its own".format(QUARANTINE), "files are only moved within one filesystem")


def new_batch(quarantine, root_path):
    """Make the folder and the manifest of this run: (name, manifest).

    The manifest is the claim to the name, since it is there for as long as anything of its batch is.
    """
    stamp = time.strftime(_FORMAT, time.gmtime())
    for attempt in range(_MOST_IN_A_SECOND):
        name = "{}-{}".format(stamp, attempt) if attempt else stamp
        with contextlib.suppress(FileExistsError):
            manifest = Manifest(quarantine, name, root_path)
            os.mkdir(name, 0o700, dir_fd=quarantine)
            return name, manifest
    raise Refused("a folder for this run cannot be made in the quarantine")


def batches(quarantine):
    """The folders of an open quarantine, oldest first; anything else in it is not ours and is left alone."""
    with folders.entries(quarantine) as found:
        names = sorted(entry.name for entry in found if _STAMP.match(entry.name))
    looked = [(name, os.stat(name, dir_fd=quarantine, follow_symlinks=False)) for name in names]
    return [Batch(name, _moved_at(name, status)) for name, status in looked if stat.S_ISDIR(status.st_mode)]


def has_expired(batch, keep_seconds):
    """Tell whether a batch may go: both its name and the folder's own change time say that it is old enough."""
    return batch.name.endswith(EXPIRING) or time.time() - batch.moved_at > keep_seconds


def _moved_at(name, status):
    try:
        named = timegm(time.strptime(name[:_STAMP_LENGTH], _FORMAT))
    except ValueError:
        return float("inf")
    return max(named, status.st_ctime)


class Manifest:
    """What came from where, written before each move: after a crash it may name too much, never too little."""

    def __init__(self, quarantine, batch, root_path):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(batch + MANIFEST, flags, 0o600, dir_fd=quarantine)
        self._write({"format": "maintainer.quarantine/1", "root": root_path, "batch": batch})

    def will_move(self, path, status):
        self._write({"path": path, "bytes": status.st_size, "modified_at": int(status.st_mtime)})

    def left_in_place(self, path, why):
        self._write({"path": path, "not_moved": why})

    def close(self):
        os.fsync(self._file)
        os.close(self._file)

    def _write(self, fields):
        line = (json.dumps(fields, sort_keys=True) + "\n").encode("ascii")
        while line:
            line = line[os.write(self._file, line) :]
