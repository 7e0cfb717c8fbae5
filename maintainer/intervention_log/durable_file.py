"""Small files that must be whole or absent, whatever happens: keys, checkpoints, the reserve."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from maintainer.errors import LogError

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

_HINTS = {
    errno.EACCES: "run this as the user who owns the state folder",
    errno.EPERM: "run this as the user who owns the state folder",
    errno.EROFS: "its filesystem is mounted read-only: after a disk error Linux does that by itself, see dmesg",
    errno.EIO: "the disk reports errors: see dmesg, and do not trust this disk with the log",
    errno.ENOSPC: "make room on the filesystem of the state folder",
    errno.EDQUOT: "raise the disk quota of the agent's user",
    errno.EFBIG: "raise the file size limit of the agent (ulimit -f, LimitFSIZE=)",
    errno.ENOTDIR: "the state folder of the inventory is not a folder",
}


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn what the system says about a file into an error for a person."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "see the state folder of [controller] in the inventory")
        raise LogError(f"cannot {doing}: {error.strerror}", where=str(path), hint=hint) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Source: fsync(2), NOTES on directory entries."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make the state folder for its owner alone; one that is there is left as the sysadmin made it."""
    with explained(folder, "make the state folder"):
        if not folder.is_dir():
            folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
            sync_folder(folder.parent)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _draft(path: Path, data: bytes) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        _write_new(draft, data)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet."""
    with explained(path, "write this file"):
        _write_new(path, data)
        sync_folder(path.parent)


def replace(path: Path, data: bytes) -> None:
    """Put a whole new content in the place of the old one."""
    with explained(path, "write this file"), _draft(path, data) as draft:
        draft.replace(path)
        sync_folder(path.parent)


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """Read a file, or make it once: of two processes that try at the same time, both get the winner's content."""
    with explained(path, "read or make this file"):
        if not path.exists():
            with _draft(path, make()) as draft:
                _link_unless_there(draft, path)
            sync_folder(path.parent)
        return path.read_bytes()


def _link_unless_there(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return
