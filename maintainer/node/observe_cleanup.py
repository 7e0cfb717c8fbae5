"""What lies in each cleanup root: what is due for quarantine, what is left alone and why, what may be deleted.

Answers {root: {"files", "bytes", "oldest_age_seconds", "skipped", "quarantined_files", "quarantined_bytes",
"expired_files", "expired_bytes", "free_bytes", "total_bytes", "more", "problem"}}.
"""

import os
import stat

from maintainer.node import cleaning, folders, quarantine
from maintainer.node.envelope import Refused, mapping

GENTLE = True
_NUMBERS = (
    "files",
    "bytes",
    "oldest_age_seconds",
    "quarantined_files",
    "quarantined_bytes",
    "expired_files",
    "expired_bytes",
    "free_bytes",
    "total_bytes",
)


def run(request, policy, deadline):
    mapping(request, "request", ())
    return {name: _look(policy.roots[name], policy.store, deadline) for name in sorted(policy.roots)}


def _look(root, store, deadline):
    answer: "dict[str, object]" = dict.fromkeys(_NUMBERS, 0)
    answer.update(skipped={}, more=False, problem="")
    try:
        with folders.closing(cleaning.open_root(root, store)) as folder:
            _count_due(answer, folder, root, deadline)
            _count_quarantined(answer, folder, root, deadline)
            room = os.fstatvfs(folder)
            answer.update(free_bytes=room.f_bavail * room.f_frsize, total_bytes=room.f_blocks * room.f_frsize)
    except (cleaning.Problem, Refused) as problem:
        answer["problem"] = str(problem)
    return answer


def _count_due(answer, folder, root, deadline):
    walk = cleaning.Walk(folder, root, deadline)
    for found in walk.files():
        answer["files"] += 1
        answer["bytes"] += found.status.st_size
        answer["oldest_age_seconds"] = max(answer["oldest_age_seconds"], int(found.age))
    answer.update(skipped=dict(walk.skipped), more=walk.more)


def _count_quarantined(answer, folder, root, deadline):
    opened = quarantine.open_quarantine(folder)
    if opened is None:
        return
    with folders.closing(opened):
        for batch in quarantine.batches(opened):
            with folders.closing(folders.open_child(opened, batch.name)) as below:
                files, size = _sum(below, deadline, cleaning.MAX_DEPTH)
            kinds = ("quarantined", "expired")
            for kind in kinds if quarantine.has_expired(batch, root.keep_quarantined_seconds) else kinds[:1]:
                answer[kind + "_files"] += files
                answer[kind + "_bytes"] += size
        answer["more"] = answer["more"] or deadline.passed()


def _sum(folder, deadline, depth):
    files = size = 0
    with folders.entries(folder) as found:
        for entry in found:
            if deadline.passed():
                break
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                files, size = files + 1, size + status.st_size
            elif stat.S_ISDIR(status.st_mode) and depth:
                with folders.closing(folders.open_child(folder, entry.name)) as below:
                    more_files, more_size = _sum(below, deadline, depth - 1)
                files, size = files + more_files, size + more_size
    return files, size
