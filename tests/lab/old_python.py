"""Real Pythons as old as those of nodes that nobody has updated for years, to run the node program under."""

import subprocess
from functools import cache
from typing import Literal

from tests.lab.image import LabError, image, why_not
from tests.lab.recipe import OLD_PYTHONS

Kind = Literal["pypy-3.7", "cpython-3.9"]
KINDS: tuple[Kind, ...] = ("pypy-3.7", "cpython-3.9")
"""The oldest that packages bring: PyPy's implementation of 3.7, without what CPython got later, and Debian 11's 3.9."""
_PROGRAMS = {"pypy-3.7": "/pypy/python3", "cpython-3.9": "/usr/bin/python3"}
# Their /tmp is this machine's, so that a test can hand them files.
_ENTER = 'mount -t proc proc "$0/proc" && mount --rbind /tmp "$0/tmp" && exec chroot "$0" "$@"'


def old_python(kind: Kind = "pypy-3.7") -> list[str] | None:
    """Give the argv of an old Python, to which its arguments are added; None where `why_no_old_python` says why."""
    return None if why_no_old_python() else in_old_debian(_PROGRAMS[kind])


def in_old_debian(*argv: str) -> list[str]:
    """Give the command that runs `argv` among the files of Debian 11, with this machine's /tmp."""
    with image(OLD_PYTHONS) as root:
        return ["unshare", "--mount", "sh", "-ec", _ENTER, str(root), *argv]


@cache
def why_no_old_python() -> str:
    """Say in a sentence why there is none here, or nothing."""
    if why := why_not():
        return why
    try:
        done = subprocess.run(in_old_debian("/bin/true"), capture_output=True, text=True, check=False)
    except LabError as error:
        return str(error)
    return f"the old Debian cannot be entered: {done.stderr.strip()}" if done.returncode else ""
