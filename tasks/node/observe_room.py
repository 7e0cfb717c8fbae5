"""How much room there is where folders really lie: {path: {"free_bytes", "total_bytes"}}.

Takes {"paths": […]}, absolute ones. A path that is not here, or that may not be asked about, has no answer. Nothing is
opened: not even the names in a folder become known.
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
        found = os.statvfs(path)
    except OSError:
        return None
    return {"free_bytes": found.f_bavail * found.f_frsize, "total_bytes": found.f_blocks * found.f_frsize}
