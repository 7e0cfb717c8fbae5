"""Folders opened one component after another, never through a symbolic link, and where they really lie.

A path is looked up once; from then on only the open folder is used. So nobody can swap a link in between.
"""

import contextlib
import errno
import os
import stat

from maintainer.node.envelope import Refused

_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class BehindLink(OSError):
    """A component of the path is a symbolic link."""


def open_below(folder, parts, flags):
    """Open `parts` below an open folder, with `flags` for the last one.

    Raises:
        BehindLink: one of the parts is a symbolic link.
        OSError: whatever opening says.
    """
    current = folder
    try:
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            following = _open_one(current, part, flags | os.O_NOFOLLOW | os.O_CLOEXEC if last else _STEP)
            if current is not folder:
                os.close(current)
            current = following
    except BaseException:
        if current is not folder:
            os.close(current)
        raise
    return current


def _open_one(folder, part, flags):
    try:
        return os.open(part, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and is_link(folder, part):
            raise BehindLink(errno.ELOOP, os.strerror(errno.ELOOP)) from error
        raise


def is_link(folder, name):
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def open_absolute(path):
    """Open a folder by its absolute path; no component may be a symbolic link."""
    top = os.open("/", _FOLDER)
    try:
        return open_below(top, [part for part in path.split("/") if part], _FOLDER)
    finally:
        os.close(top)


def open_child(folder, name):
    return _open_one(folder, name, _FOLDER)


@contextlib.contextmanager
def closing(descriptor):
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def entries(folder):
    """Iterate over an open folder. Through /proc, since Python 3.6 cannot scan a descriptor."""
    return os.scandir("/proc/self/fd/{}".format(folder))


def mount_id(descriptor):
    """Number of the mount that an open file or folder was reached through: it tells a bind mount of the same disk."""
    with open("/proc/self/fdinfo/{}".format(descriptor)) as lines:
        for line in lines:
            if line.startswith("mnt_id:"):
                return int(line.split()[1])
    raise Refused("this kernel does not tell mounts apart", "it is too old to clean folders on safely")


def mounts():
    """The mount table: number → (device, path inside the device, mount point, type, read-only)."""
    table = {}
    with open("/proc/self/mountinfo", errors="surrogateescape") as lines:
        for line in lines:
            fields, _, rest = line.partition(" - ")
            number, _parent, device, inside, point, options = fields.split()[:6]
            read_only = "ro" in options.split(",") or "ro" in rest.split()[-1].split(",")
            table[int(number)] = (device, _unescape(inside), _unescape(point), rest.split()[0], read_only)
    return table


def place(descriptor):
    """Where an open folder lies on its device, however it was mounted: (device, path inside it).

    Raises:
        Refused: it cannot be told.
    """
    path = os.readlink("/proc/self/fd/{}".format(descriptor))
    mount = mounts().get(mount_id(descriptor))
    if mount is None or not _covers(mount[2], path):
        raise Refused("it cannot be told where {} really lies".format(path))
    below = path[len(mount[2].rstrip("/")) :]
    return mount[0], os.path.normpath(mount[1].rstrip("/") + "/" + below.lstrip("/"))


def overlap(one, other):
    """Tell whether one of two places contains the other."""
    return one[0] == other[0] and (_covers(one[1], other[1]) or _covers(other[1], one[1]))


def _covers(outer, inner):
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _unescape(text):
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
