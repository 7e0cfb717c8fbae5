"""Whether the declared mount points are mounted and hold something: {path: {"mounted", "empty", "problem"}}.

A file system whose server has gone can hold whoever looks at it for ever, so each is looked at by a thread of its own.
"""

import os
import threading

from maintainer.node import folders
from maintainer.node.envelope import mapping

_SECONDS = 5.0


def run(request, policy, deadline):
    mapping(request, "request", ())
    points = {mount[2] for mount in folders.mounts().values()}
    return {path: _mount(path, points, min(_SECONDS, deadline.left())) for path in policy.mounts}


def _mount(path, points, seconds):
    mounted = path in points
    found = {"mounted": mounted, "empty": True, "problem": ""}
    looking = threading.Thread(target=_look, args=(path, found), daemon=True)
    looking.start()
    looking.join(seconds)
    if looking.is_alive():
        return {"mounted": mounted, "empty": True, "problem": "it does not answer"}
    return found


def _look(path, found):
    try:
        with os.scandir(path) as entries:
            found["empty"] = not any(entry.name != "lost+found" for entry in entries)
    except OSError as error:
        found["problem"] = error.strerror or type(error).__name__
