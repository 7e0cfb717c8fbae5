"""Who this machine is and what its declared folders lie on: hostname, machine id (hashed), boot id, clock, mounts.

Also by which program and policy it answers: "prepared" when both are the node's own, "outside" what its policy refuses.
"""

import hashlib
import hmac
import os
import platform
import pwd
import socket
from datetime import datetime, timezone
from typing import Any, Dict

from maintainer.node import archive, folders
from maintainer.node.envelope import mapping

# Never the id itself: as systemd's sd_id128_get_machine_app_specific does, it is only shown keyed for one purpose.
_APPLICATION = bytes.fromhex("5bd1b3b8a4f34d6c8e0c2a7f4e1d9063")


def run(request, policy, deadline):
    mapping(request, "request", ())
    return {
        "hostname": socket.gethostname(),
        "machine_id_sha256": _machine(),
        "boot_id": _line("/proc/sys/kernel/random/boot_id"),
        "python": platform.python_version(),
        "clock": datetime.now(timezone.utc).replace(tzinfo=None).isoformat() + "Z",
        "user": _user(),
        "mounts": _mounts(policy, deadline),
        "program_sha256": archive.sha256(),
        "prepared": policy.prepared,
        "outside": [policy.outside[what] for what in sorted(policy.outside)],
    }


def _machine():
    known = _line("/etc/machine-id") or _line("/var/lib/dbus/machine-id")
    return hmac.new(known.encode(), _APPLICATION, hashlib.sha256).hexdigest() if known else None


def _line(path):
    try:
        with open(path) as file:
            return file.readline(200).strip() or None
    except OSError:
        return None


def _user():
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _mounts(policy, deadline):
    """One entry a mount point that declared folders lie on; a folder that is not there has none."""
    found: Dict[str, Any] = {}
    table = folders.mounts()
    declared = [("root " + root.name, root.path) for root in policy.roots.values()]
    declared += [("store", policy.store.path)] if policy.store else []
    for what, path in sorted(declared):
        if not deadline.passed():
            _add_mount(found, table, what, path)
    return [found[point] for point in sorted(found)]


def _add_mount(found, table, what, path):
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    with folders.closing(descriptor):
        mount = table.get(folders.mount_id(descriptor))
        room = os.fstatvfs(descriptor)
    if mount:
        entry = {"mount_point": mount[2], "fs_type": mount[3], "read_only": mount[4], "holds": []}
        entry.update(free_bytes=room.f_bavail * room.f_frsize, total_bytes=room.f_blocks * room.f_frsize)
        found.setdefault(mount[2], entry)["holds"].append(what)
