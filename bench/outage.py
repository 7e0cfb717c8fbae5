"""How long an archive does not answer while it is restarted: by the agent, and by hand on the same node.

    python -m bench.outage [ROUNDS]

Two nodes of the tests' lab are booted for it (root on Debian). On one of them the archive, with its database left
alone, is restarted by `maintainer run --now` and by `ssh NODE systemctl restart` in turn, each as often the first;
meanwhile a C-ECHO asks it every 20 ms. The agent does more than the restart, but all of that while the archive serves.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from bench.lab import on_lab
from bench.table import Row, duration, times_of_peer

if TYPE_CHECKING:
    from tests.lab.lab import Lab

ROUNDS = 12
TARGET = 1.1
NODE = "pacs-a"
EVERY, SETTLED, SERVES_WITHIN = 0.02, 2.0, 120.0  # seconds
BOTH = """\
database = { unit = "postgresql@15-main.service", answers = "select-1" }
archive = { unit = "orthanc.service", after = ["database"] }
"""
ARCHIVE = 'archive = { unit = "orthanc.service" }\n'
NAME = "archive unanswered during a restart"

Look = tuple[float, bool]


def rows(rounds: int = ROUNDS) -> Iterator[Row]:
    yield from on_lab(NAME, lambda lab: measured(lab, rounds))


def measured(lab: "Lab", rounds: int) -> Iterator[Row]:
    ours, bare = measure(lab, rounds)
    yield times_of_peer(NAME, ours, "systemctl restart", bare, at_most=TARGET)


def measure(lab: "Lab", rounds: int) -> tuple[float, float]:
    """Give the median outage by the agent and by hand, in seconds."""
    head = f"[nodes.{NODE}.services]\n"
    lab.controller.edit(head + BOTH, head + ARCHIVE)
    by_hand = _root_login(lab)
    agent = lab.controller.argv("run", "--now", "--task", "service-restart", "--node", NODE)
    ours, bare = list[float](), list[float]()
    for number in range(rounds):
        turns = [(ours, agent), (bare, by_hand)]
        for found, restart in reversed(turns) if number % 2 else turns:
            found.append(outage(lab, restart))
        print(f"maintainer {duration(ours[-1])}, systemctl restart {duration(bare[-1])}")
    return median(ours), median(bare)


def outage(lab: "Lab", restart: list[str]) -> float:
    """Restart the archive, and give the seconds in which it did not answer."""
    with watched(lab) as looks:
        done = subprocess.run(restart, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(restart)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        _wait_until_settled(looks)
    return unanswered(looks)


def unanswered(looks: list[Look]) -> float:
    """Add up the time from each look that failed to the look after it.

    >>> unanswered([(0.0, True), (0.1, False), (0.2, False), (0.4, True), (0.5, True)])
    0.30000000000000004
    """
    return sum(after - at for (at, serves), (after, _) in pairwise(looks) if not serves)


@contextmanager
def watched(lab: "Lab") -> Iterator[list[Look]]:
    """Look whether the archive serves, again and again while the block lasts."""
    looks: list[Look] = []
    stop = threading.Event()
    with lab.network():
        watcher = threading.Thread(target=_watch, args=(lab.nodes[NODE].address, looks, stop))
        watcher.start()
    try:
        yield looks
    finally:
        stop.set()
        watcher.join()


def _watch(address: str, looks: list[Look], stop: threading.Event) -> None:
    from tests.lab.workstations import serves  # noqa: PLC0415 (see above)

    while not stop.wait(EVERY):
        began = time.monotonic()
        looks.append((began, serves(address)))


def _wait_until_settled(looks: list[Look]) -> None:
    """Wait until the archive was out, and every look of the last seconds was answered."""
    until = time.monotonic() + SERVES_WITHIN
    while not _settled(looks):
        if time.monotonic() > until:
            raise SystemExit(f"the archive was not out, or does not serve, {SERVES_WITHIN:.0f} s after its restart")
        time.sleep(EVERY)


def _settled(looks: list[Look]) -> bool:
    recent = [serves for at, serves in looks if at > time.monotonic() - SETTLED]
    return len(recent) > 1 and all(recent) and unanswered(looks) > 0


def _root_login(lab: "Lab") -> list[str]:
    """Let the controller's key in as root on the node; gives the command that restarts its archive by hand."""
    node, key = lab.nodes[NODE], lab.controller.client_key
    node.write("/root/.ssh/authorized_keys", key.with_suffix(".pub").read_text().strip(), mode=0o600)
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    ssh = ["ssh", "-i", str(key), *options, f"root@{node.address}", "systemctl", "restart", "orthanc.service"]
    return lab.room.on_its_network(ssh)


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        print(row)
