"""A small store with a planted fault of every kind, for the proof that the check finds them. It writes, and reads none.

Everything is written anew and over what an earlier night left, in a folder of ours beside the ledger.
"""

import os
import struct

from maintainer.node import state
from maintainer.node.object_reading import DICOM, hasher
from maintainer.node.store_objects import of_uid

SOUND, BASELINE, STRAY = "aa/sound", "aa/baseline", "bb/stray"
FAULTS = {
    "aa/missing": "missing",
    "aa/link": "unreadable",
    "aa/emptied": "size",
    "aa/truncated": "size",
    "aa/replaced": "digest",
    "aa/rotten": "bit-rot",
    "aa/modified": "modified",
    "aa/malware": "executable-preamble",
    "aa/shapeless": "header",
    "aa/other": "header",
}
_PATHS = (SOUND, BASELINE, *sorted(FAULTS))
_WITHOUT_DIGEST = (BASELINE, "aa/rotten", "aa/modified")
_AS_STORED = 1500000000 * 10**9
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_SYNTAX = b"1.2.840.10008.1.2.1\0"


def plant(folder):
    """Write the store as it was when its objects came; answers them as an index lists them."""
    for below in ("aa", "bb"):
        state.make(os.path.join(folder, below))
    rows = []
    for key, path in enumerate(_PATHS, 1):
        content = _as_stored(key, path)
        digest = None if path in _WITHOUT_DIGEST else hasher("md5", content).hexdigest()
        uid = of_uid(b"2.25.1").hex() if path == "aa/other" else None
        rows.append([key, path, len(content), "md5", digest, DICOM, uid])
        _put(folder, path, _image(0) if path == "aa/replaced" else content)
    _put(folder, STRAY, _image(0))
    return rows


def spoil(folder):
    """Let time pass over it."""
    state.forget(os.path.join(folder, "aa/missing"))
    state.forget(os.path.join(folder, "aa/link"))
    os.symlink("sound", os.path.join(folder, "aa/link"))
    _put(folder, "aa/emptied", b"")
    _put(folder, "aa/truncated", _image(0)[:-1])
    _put(folder, "aa/rotten", _image(0))
    _put(folder, "aa/modified", _image(0), later=10**9)


def _as_stored(key, path):
    content = _image(key)
    if path == "aa/malware":
        return b"MZ" + content[2:]
    return content[:128] + b"NONE" + content[132:] if path == "aa/shapeless" else content


def _image(number):
    """The smallest thing of a sound structure."""
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(_SYNTAX)) + _SYNTAX
    return bytes(128) + b"DICM" + meta + b"\x10\x00\x20\x00LO\x08\x00" + "{:08d}".format(number).encode("ascii")


def _put(folder, path, content, later=0):
    place = os.path.join(folder, path)
    if os.path.islink(place):
        state.forget(place)
    descriptor = os.open(place, _WRITE, 0o600)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
    os.utime(place, ns=(_AS_STORED, _AS_STORED + later))
