"""How many TCP connections to a port of this node are open, and what came in over them while it was watched.

Request {"port", "watch_seconds"}; answers {"established", "received_bytes"}. `received_bytes` is None where the kernel
does not tell (before 4.1, or without tcp_diag).

Source: proc_net(5).
"""

import os
import time

from maintainer.node.envelope import mapping, number
from maintainer.node.sock_diag import ESTABLISHED, bytes_received, counted


def run(request, _policy, deadline):
    mapping(request, "request", ("port", "watch_seconds"))
    port = int(number(request["port"], "port", 1, 65535))
    watch = number(request["watch_seconds"], "watch_seconds", 0, 10)
    before = _received(port)
    if before is None:
        return {"established": established(port), "received_bytes": None}
    time.sleep(min(watch, deadline.left()))
    now = _received(port) if watch else before
    return {"established": len(now), "received_bytes": _growth(before, now)}


def _growth(before, now):
    if None in now.values():
        return None
    return sum(max(0, now[peer] - before.get(peer, 0)) for peer in now)


def _received(port):
    """Connection → bytes that came in over it so far, or None when the kernel cannot be asked."""
    return counted(port, bytes_received, (ESTABLISHED,))


def established(port):
    """Count by the table that every kernel has."""
    local, count = ":{:04X}".format(port), 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(table):
            continue  # no IPv6 here
        with open(table) as lines:
            next(lines)
            count += sum(1 for line in lines if line.split()[1].endswith(local) and line.split()[3] == "01")
    return count
