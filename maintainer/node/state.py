"""What this node remembers from one request to the next: who holds it, and what runs or ran detached.

Only acting programs write here. Locks are the kernel's (flock): they end with the process, however that ends.
"""

import contextlib
import fcntl
import json
import os
import stat
import time

from maintainer.node import place
from maintainer.node.envelope import MAX_BYTES, BadRequest, Failed, Refused, parse

LOCK = "lock"
LINE = 200
"""Bytes of what a lock's file says."""
_PATIENCE = 10.0
_OURS_ALONE = "the agent's user must own it, and nobody else may write to it"


def folder(policy):
    """Where it lies; nothing needs to be there yet.

    Raises:
        Refused: the user has no home folder.
    """
    if policy.prepared:
        return place.STATE
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        raise Refused("the agent's user has no home folder, so this node cannot keep a lease", "give it one")
    return os.path.join(home, ".local", "state", "maintainer")


def make(path):
    """Make a folder of ours, or see that the one that is there is ours.

    Raises:
        Refused: it cannot be made, or others may write to it.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        status = os.lstat(path)
    except OSError as error:
        what = "this node cannot keep a lease: {}: {}".format(path, error.strerror)
        raise Refused(what, "let the agent's user make this folder") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise Refused("this node cannot keep a lease: {} is not ours alone".format(path), _OURS_ALONE)
    return path


@contextlib.contextmanager
def alone(path):
    """Be the only one who changes what is remembered; gives the lock's descriptor, for who forks to close.

    Raises:
        Failed: another process did not let go of it in time.
    """
    descriptor = open_lock(os.path.join(make(path), LOCK))
    try:
        if not lock(descriptor, fcntl.LOCK_EX, _PATIENCE):
            raise Failed("another request changes what this node remembers", "ask again")
        yield descriptor
    finally:
        os.close(descriptor)


def open_lock(path):
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def lock(descriptor, kind, seconds):
    """Try for so long: a look at a lock takes it for an instant, which must stop nobody."""
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.005)
        else:
            return True


def read(path):
    """The object that a file holds; None where there is no such file.

    Raises:
        Failed: it cannot be read, or is damaged.
    """
    try:
        with open(path, "rb", opener=_open_plain) as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed("{} cannot be read: {}".format(path, error.strerror)) from error
    try:
        fields = parse(raw, path)
    except BadRequest as error:
        raise Failed(error.what, "it is damaged: see why, then remove it while no run goes on") from None
    if not isinstance(fields, dict):
        raise Failed(path + " is not one JSON object", "it is damaged: see why, then remove it while no run goes on")
    return fields


def keep(path, fields):
    """Put a whole new content in the place of the old one, on the disk when this returns.

    Raises:
        OSError: it is not there; the old one still is.
    """
    draft = path + ".draft"
    raw = json.dumps(fields, sort_keys=True, allow_nan=False).encode("ascii")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        forget(draft)
        raise
    _sync(os.path.dirname(path))


def forget(path):
    """Remove a file of ours; one that cannot be removed stays."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def inscribe(descriptor, words):
    """Write into a lock's file, always as long and over what stood there: it needs no new room on a full disk."""
    os.pwrite(descriptor, words.ljust(LINE).encode("ascii"), 0)


def _sync(path):
    """Make the names in a folder durable. Source: fsync(2), on directory entries."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_plain(path, flags):
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
