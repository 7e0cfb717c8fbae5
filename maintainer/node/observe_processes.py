"""What the processes of each service hold: memory of their own, and code that is no longer on the disk.

Answers {service: {"pid", "age_seconds", "processes", "memory_bytes", "deleted", "unreadable"}} for services that run.
`memory_bytes` is anonymous memory with what of it is swapped out: shared buffers and mapped files are nobody's leak.
`deleted` has names of executables and libraries that were replaced or removed while in use; `unreadable` counts the
processes whose mappings this user may not see.

Source: proc_pid_maps(5), proc_pid_status(5), cgroups(7).
"""

import os
import re

from maintainer.node import services
from maintainer.node.policy import Unit

MAX_PROCESSES = 500
MAX_NAMES = 20
_MAX_MAPS = 8 * 1024 * 1024
_DELETED_CODE = re.compile(r"\S+ ..x\S \S+ \S+ \d+ +(/.+) \(deleted\)")
# What programs map and unlink on purpose is not an updated library.
_NOT_FILES = (
    *("/memfd:", "/dev/", "/SYSV", "/run/", "/[aio]", "/anon_hugepage", "/i915", "/drm"),
    *("/tmp/", "/var/tmp/"),  # noqa: S108 (nothing is written there)
)
_PLAIN = re.compile(r"[A-Za-z0-9._+-]{1,100}\Z")


def run(request, policy, deadline):
    if request:
        raise ValueError("processes takes no request")
    found: "dict[str, object]" = {}
    for name in sorted(policy.services):
        state = services.seen(policy.services[name], deadline.left())
        if state.state == services.RUNNING and state.pid:
            found[name] = _service(policy.services[name], state.pid)
    return found


def _service(service, main):
    pids = _family(service, main)
    memory = [own_memory(pid) for pid in pids]
    mapped = [deleted_code(pid) for pid in pids]
    names = sorted({name for one in mapped if one is not None for name in one})
    return {
        "pid": main,
        "age_seconds": _age(main),
        "processes": len(pids),
        "memory_bytes": sum(one for one in memory if one is not None),
        "deleted": names[:MAX_NAMES],
        "unreadable": sum(1 for one in mapped if one is None),
    }


def _family(service, main):
    """The processes of a unit's control group, or else the main process and what it started."""
    pids = _of_group(service.unit, main) if isinstance(service, Unit) else []
    return pids or _with_children(main)


def _of_group(unit, main):
    try:
        with open("/proc/{}/cgroup".format(main)) as lines:
            groups = [line.rstrip("\n").split(":", 2) for line in lines]
    except OSError:
        return []
    for _number, controllers, path in groups:
        folder = {"": "/sys/fs/cgroup", "name=systemd": "/sys/fs/cgroup/systemd"}.get(controllers)
        if folder and unit in path.split("/"):
            return _numbers("{}{}/cgroup.procs".format(folder, path))
    return []


def _with_children(pid):
    found: "list[int]" = []
    waiting = [pid]
    while waiting and len(found) < MAX_PROCESSES:
        found.append(waiting.pop())
        waiting += _numbers("/proc/{0}/task/{0}/children".format(found[-1]))
    return found


def _numbers(path):
    try:
        with open(path) as file:
            return [int(word) for word in file.read(1 << 16).split() if word != "0"][:MAX_PROCESSES]
    except (OSError, ValueError):
        return []


def own_memory(pid):
    """Bytes, or None when the process has ended."""
    try:
        with open("/proc/{}/status".format(pid)) as lines:
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
        if "RssAnon" in fields:
            return 1024 * sum(int(fields.get(key, "0").split()[0]) for key in ("RssAnon", "VmSwap"))
        with open("/proc/{}/statm".format(pid)) as file:  # before Linux 4.5
            resident, shared = (int(word) for word in file.read().split()[1:3])
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def deleted_code(pid):
    """Names of deleted files of which the process has code mapped; None when that may not be seen."""
    try:
        with open("/proc/{}/maps".format(pid), errors="replace") as file:
            lines = file.read(_MAX_MAPS).splitlines()
    except FileNotFoundError:
        return set()
    except OSError as error:
        return set() if isinstance(error, ProcessLookupError) else None
    matches = filter(None, map(_DELETED_CODE.fullmatch, lines))
    names = [os.path.basename(match[1]) for match in matches if not match[1].startswith(_NOT_FILES)]
    return {name if _PLAIN.match(name) else "a file of another name" for name in names}


def _age(pid):
    try:
        with open("/proc/{}/stat".format(pid)) as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime") as file:
            uptime = float(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return round(max(0.0, uptime - ticks / os.sysconf("SC_CLK_TCK")), 2)
