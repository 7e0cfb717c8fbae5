"""Since when this node runs, and whether it waits for a reboot.

Answers {"boot_id", "up_seconds", "reboot_required", "running_kernel", "newest_kernel"}; `newest_kernel` is None where
no kernels lie in /boot. Age is that of process 1, so that a container tells its own and not its host's.
"""

import os
import re

KERNEL = "vmlinuz-"
_PLAIN = re.compile(r"[A-Za-z0-9._+~-]{1,100}\Z")
_MARKS = ("/run/reboot-required", "/var/run/reboot-required")


def run(request, _policy, _deadline):
    if request:
        raise ValueError("boot takes no request")
    return {
        "boot_id": _line("/proc/sys/kernel/random/boot_id"),
        "up_seconds": up_seconds(),
        "reboot_required": any(os.path.exists(mark) for mark in _MARKS),
        "running_kernel": os.uname().release[:100],
        "newest_kernel": newest_kernel("/boot"),
    }


def up_seconds():
    with open("/proc/1/stat") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    uptime = float(_line("/proc/uptime").split()[0])
    return round(max(0.0, uptime - ticks / os.sysconf("SC_CLK_TCK")), 2)


def newest_kernel(folder):
    try:
        names = [name[len(KERNEL) :] for name in os.listdir(folder) if name.startswith(KERNEL)]
    except OSError:
        return None
    return max((name for name in names if _PLAIN.match(name) and "rescue" not in name), key=by_number, default=None)


def by_number(version):
    """Order versions as people do: 6.1.0-9 before 6.1.0-10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.findall(r"\d+|[^\d]+", version)]


def _line(path):
    with open(path) as file:
        return file.readline(200).strip()
