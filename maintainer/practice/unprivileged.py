"""Run a program as `nobody` although root started it: PostgreSQL refuses to run as root.

`python -m maintainer.practice.unprivileged PROGRAM ARGUMENT…`

The program keeps one capability, CAP_DAC_OVERRIDE, so that it reaches its files wherever they lie, below /root too.
Without it the permissions of folders that are not ours would have to be changed. Standard library only.

Source: capabilities(7), "Ambient capability set" and "Effect of user ID changes on capabilities".
"""

import ctypes
import os
import pwd
import sys

ACCOUNT = "nobody"

_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def become_nobody() -> None:
    """Give up root for good, keeping CAP_DAC_OVERRIDE across the next exec.

    Raises:
        OSError: the kernel or the container does not allow it.
    """
    account = pwd.getpwnam(ACCOUNT)
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    bit = 1 << _CAP_DAC_OVERRIDE
    header, data = _Header(_CAPABILITY_VERSION_3, 0), (_Data * 2)(_Data(bit, bit, bit))
    _checked(libc.capset(ctypes.byref(header), data))
    _checked(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "__main__":
    become_nobody()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 (no shell is wanted)
