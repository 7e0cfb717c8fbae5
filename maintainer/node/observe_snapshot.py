"""What a person's work could change here: packages, services, watched files, free space, kernel, boot.

Answers {"kernel", "boot_id", "packages", "services", "files", "free_bytes", "more"}; "packages" is null where dpkg does
not tell. Of a watched file only its size and SHA-256 leave the node. "more": not everything found room or time.
"""

import contextlib
import hashlib
import itertools
import os
import platform
import stat
import subprocess
from fnmatch import fnmatchcase
from typing import Any, Dict

from maintainer.node import observe_hello, observe_services
from maintainer.node.envelope import mapping

GENTLE = True
MAX_FILES = 500
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PACKAGES = 10000
_MAX_LISTED = 10000
_MAX_TEXT = 4 * 1024 * 1024
_BLOCK = 1024 * 1024
_TABS = 2
_MISSING, _NOT_PERMITTED, _NOT_REGULAR, _TOO_LARGE = "missing", "not-permitted", "not-regular", "too-large"


def run(request, policy, deadline):
    mapping(request, "request", ())
    hello = observe_hello.run({}, policy, deadline)
    packages = _packages()
    files: Dict[str, Any] = {}
    more = packages is not None and len(packages) > MAX_PACKAGES
    for path in _watched(policy.watch):
        if len(files) == MAX_FILES or deadline.passed():
            more = True
            break
        files[path.encode("utf-8", "replace").decode()] = _file(path)
    return {
        "kernel": platform.release(),
        "boot_id": hello["boot_id"],
        "packages": dict(sorted(packages.items())[:MAX_PACKAGES]) if packages is not None else None,
        "services": observe_services.run({}, policy, deadline),
        "files": files,
        "free_bytes": {mount["mount_point"]: mount["free_bytes"] for mount in hello["mounts"]},
        "more": more,
    }


def _packages():
    """Installed packages and their versions, or None where there is no dpkg. Source: dpkg-query(1)."""
    form = "--showformat=${db:Status-Abbrev}\\t${binary:Package}\\t${Version}\\n"
    try:
        process = subprocess.Popen(  # noqa: S603 (the argument list is ours)
            ["dpkg-query", "--show", form],  # noqa: S607 (found as an administrator's shell would)
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=dict(os.environ, LC_ALL="C"),
        )
    except OSError:
        return None
    with process:
        raw = process.stdout.read(_MAX_TEXT) if process.stdout else b""
    lines = raw.decode("ascii", "replace").splitlines()
    rows = (line.split("\t") for line in lines if line.startswith(("ii", "hi")) and line.count("\t") == _TABS)
    return {package: version for _state, package, version in rows} or None


def _watched(patterns):
    """Every path that a pattern names, whether it is there or not; those that fit a wildcard, as far as they are."""
    for pattern in patterns:
        folder, _, name = pattern.rpartition("/")
        if not any(character in name for character in "*?["):
            yield pattern
            continue
        with contextlib.suppress(OSError), os.scandir(folder or "/") as entries:
            names = [entry.name for entry in itertools.islice(entries, _MAX_LISTED)]
            # As a shell does it: a wildcard at the beginning does not fit a hidden file.
            visible = (one for one in names if name.startswith(".") or not one.startswith("."))
            yield from (folder + "/" + one for one in sorted(visible) if fnmatchcase(one, name))


def _file(path):
    """Size and digest. A link is followed, as who reads the configuration follows it; only plain files are opened."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return _told(_NOT_REGULAR)
        with open(path, "rb", opener=_open_plain) as file:
            return _read(file)
    except FileNotFoundError:
        return _told(_MISSING)
    except PermissionError:
        return _told(_NOT_PERMITTED)
    except OSError:
        return _told(_NOT_REGULAR)


def _read(file):
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        return _told(_NOT_REGULAR)
    if status.st_size > MAX_FILE_BYTES:
        return _told(_TOO_LARGE, status.st_size)
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(_BLOCK), b""):
        digest.update(block)
        if file.tell() > MAX_FILE_BYTES:
            return _told(_TOO_LARGE, file.tell())
    return {"sha256": digest.hexdigest(), "bytes": file.tell(), "problem": ""}


def _told(problem, size=0):
    return {"sha256": None, "bytes": size, "problem": problem}


def _open_plain(path, flags):
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
