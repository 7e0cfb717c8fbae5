"""What happens to a node from outside: its network is cut, refuses, loses or crawls; the whole machine hangs."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tests.lab.image import LabError
from tests.lab.node import LabNode

Cut = Literal["drop", "reject", "lossy"]
_JUMPS = {
    "drop": (["-j", "DROP"], ["-j", "DROP"]),
    "reject": (["-j", "REJECT", "--reject-with", "tcp-reset"], []),
    "lossy": (["-m", "statistic", "--mode", "random", "--probability", "0.2", "-j", "DROP"],) * 2,
}
_FREEZES_WITHIN = 30  # seconds


@contextlib.contextmanager
def cut(node: LabNode, how: Cut = "drop", *, port: int | None = None) -> Iterator[None]:
    """Disturb the node's TCP, all of it or that to one of its ports, until the block ends.

    `drop`: nothing comes through and nobody is told; `reject`: every packet is answered by a reset; `lossy`: one
    packet in five is lost, each way.
    """
    incoming, outgoing = _JUMPS[how]
    rules = []
    if incoming:
        rules.append(["INPUT", "-i", "host0", "-p", "tcp", *(["--dport", str(port)] if port else []), *incoming])
    if outgoing:
        rules.append(["OUTPUT", "-o", "host0", "-p", "tcp", *(["--sport", str(port)] if port else []), *outgoing])
    for rule in rules:
        node.on_its_network("iptables", "-w", "-A", *rule)
    try:
        yield
    finally:
        for rule in rules:
            node.on_its_network("iptables", "-w", "-D", *rule)


def rejected(node: LabNode) -> int:
    """Count the packets that were answered by a reset since it was cut off so."""
    listed = node.on_its_network("iptables", "-w", "-nvxL", "INPUT").splitlines()
    return sum(int(line.split()[0]) for line in listed if "REJECT" in line)


@contextlib.contextmanager
def slowed(node: LabNode, rate: str = "256kbit") -> Iterator[None]:
    """Let the node send no faster than that, until the block ends."""
    node.on_its_network(*f"tc qdisc add dev host0 root tbf rate {rate} burst 16kb latency 400ms".split())
    try:
        yield
    finally:
        node.on_its_network(*["tc", "qdisc", "del", "dev", "host0", "root"])


@contextlib.contextmanager
def frozen(node: LabNode) -> Iterator[None]:
    """Let the whole machine hang until the block ends: its network takes packets, and nothing ever answers."""
    if not node.freezers():
        raise LabError("a machine can only be frozen where there is a cgroup2 hierarchy")
    (freezer,) = node.freezers()
    _freeze(freezer, 1)
    try:
        yield
    finally:
        _freeze(freezer, 0)


def _freeze(freezer: Path, wanted: int) -> None:
    freezer.write_text(str(wanted))
    until = time.monotonic() + _FREEZES_WITHIN
    while f"frozen {wanted}" not in (freezer.parent / "cgroup.events").read_text():
        if time.monotonic() > until:
            raise LabError(f"{freezer.parent.name} does not {'freeze' if wanted else 'thaw'}")
        time.sleep(0.01)
