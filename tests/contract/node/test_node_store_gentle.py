"""The reading of a store leaves the disk to everybody else, in each of its threads."""

import ctypes
import os
import platform
import time
from pathlib import Path

import pytest

from tests.contract.node.images import image
from tests.contract.node.ledger_nights import EVERYTHING, learn, put, row
from tests.contract.node.own_node import OwnNode

IOPRIO_GET = {"x86_64": 252, "aarch64": 31}
WHO_PROCESS, CLASS_SHIFT, IDLE = 1, 13, 3


def io_class(thread: int) -> int:
    """The scheduling class of a thread's reading. Source: ioprio_set(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(IOPRIO_GET[platform.machine()], WHO_PROCESS, thread)) >> CLASS_SHIFT


@pytest.mark.skipif(platform.machine() not in IOPRIO_GET, reason="the number of the system call is not known here")
def test_every_thread_of_a_night_reads_in_the_idle_class(own_node: OwnNode) -> None:
    """What reads is not the thread that was told to be gentle."""
    for number in range(6):
        put(own_node, number)
    learn(own_node, *map(row, range(6)))
    request = {**EVERYTHING, "rate": len(image(0)) // 4, "threads": 2}
    own_node.program().launch("op-1", "store-read", request, 120)
    supervisor = int((own_node.state / "operations" / "running").read_text("ascii").split()[1])
    until, classes = time.monotonic() + 60, set[int]()
    try:
        while len(threads := _threads_of_worker(supervisor)) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        classes = {io_class(thread) for thread in threads}
    finally:
        own_node.act("cancel", id="op-1")
    assert len(threads) >= 3
    assert classes == {IDLE}
    assert io_class(os.getpid()) != IDLE


def _threads_of_worker(supervisor: int) -> list[int]:
    workers = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text("ascii").split()
    return [int(one.name) for worker in workers for one in Path(f"/proc/{worker}/task").iterdir()]
