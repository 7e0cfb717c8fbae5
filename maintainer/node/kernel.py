"""The three system calls that Python has no name for. Where they are missing we refuse or do without, never worse."""

import contextlib
import ctypes
import errno
import os
import sys

from maintainer.node.envelope import Refused

_NOREPLACE = 1
_IDLE = 3 << 13
_WHO_PROCESS = 1
# Source: the kernel's unistd tables. On any other machine we do not guess.
_NUMBERS = {
    "x86_64": {"renameat2": 316, "ioprio_set": 251, "openat2": 437},
    "aarch64": {"renameat2": 276, "ioprio_set": 30, "openat2": 437},
}
_NO_SYMLINKS, _BENEATH = 0x04, 0x08
_NOT_OPENED = -1


def _number(call):
    return _NUMBERS.get(os.uname().machine, {}).get(call) if sys.maxsize > 2**32 else None


def _call(call, *arguments):
    number = _number(call)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(number), *arguments) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def move(folder, name, to_folder, to_name):
    """Rename between two open folders, and never over something that is there.

    Raises:
        Refused: this kernel or filesystem cannot promise that.
        OSError: FileExistsError and the like.
    """
    source, target = os.fsencode(name), os.fsencode(to_name)
    where = ctypes.c_int(folder), ctypes.c_char_p(source), ctypes.c_int(to_folder), ctypes.c_char_p(target)
    try:
        _call("renameat2", *where, ctypes.c_uint(_NOREPLACE))
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EINVAL):
            what = "this system cannot rename a file without the risk of replacing another"
            raise Refused(what, "clean this folder by other means") from error
        raise


def beneath(flags):
    """Give what opens (folder, path) with these flags in one step, and through no link, as Linux can since 5.6.

    `path` leads nowhere else: it has no .. and no null byte. What is not opened is -1, whatever the reason.
    """
    number = _number("openat2")
    if number is None:
        return lambda _folder, _path: _NOT_OPENED
    call = ctypes.CDLL(None).syscall
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    call.restype = ctypes.c_long
    how = (ctypes.c_uint64 * 3)(flags, 0, _NO_SYMLINKS | _BENEATH)
    return lambda folder, path: call(number, folder, os.fsencode(path), how, ctypes.sizeof(how))


def be_gentle():
    """Let everyone else go first, at the processor and, where the disk's scheduler knows it, at the disk."""
    with contextlib.suppress(OSError):
        os.nice(10)
    with contextlib.suppress(OSError):
        _call("ioprio_set", ctypes.c_int(_WHO_PROCESS), ctypes.c_int(0), ctypes.c_int(_IDLE))
