"""How much room there is where folders really lie: {path: {"free_bytes", "total_bytes", "discards"}}.

Takes {"paths": […]}, absolute ones. A path that is not here, or that may not be asked about, has no answer. Nothing is
opened there: not even the names in a folder become known. "discards": whether the disk is told of each file that goes,
at once (mount option discard); null where nobody can tell, as within a btrfs.
"""

import os

_MOST = 100


def run(request, _policy, deadline):
    paths = request.get("paths")
    if set(request) != {"paths"} or not isinstance(paths, list) or len(paths) > _MOST:
        raise ValueError("room takes paths, at most {}".format(_MOST))
    if not all(isinstance(path, str) and path.startswith("/") and "\0" not in path for path in paths):
        raise ValueError("room takes absolute paths")
    return {path: room for path in paths if not deadline.passed() for room in [_room(path)] if room}


def _room(path):
    try:
        found, device = os.statvfs(path), os.stat(path).st_dev
    except OSError:
        return None
    room = {"free_bytes": found.f_bavail * found.f_frsize, "total_bytes": found.f_blocks * found.f_frsize}
    return dict(room, discards=_discards("{}:{}".format(os.major(device), os.minor(device))))


def _discards(device):
    with open("/proc/self/mountinfo", errors="surrogateescape") as lines:
        mounts = [line.partition(" - ") for line in lines]
    options = [rest.split()[-1].split(",") for mount, _, rest in mounts if mount.split()[2] == device]
    return "discard" in options[0] if options else None
