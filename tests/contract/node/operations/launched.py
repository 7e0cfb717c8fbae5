"""What the tests of operations ask a node: to launch the slow program, and how it stands."""

from datetime import timedelta
from typing import Any

from tests.contract.node.own_node import OwnNode
from tests.contract.node.slow_program import Slow

TIME = timedelta(seconds=20)


def launch(node: OwnNode, work: Slow, key: str = "step-1", seconds: float = 60, **more: bool) -> str:
    return str(node.program().launch(key, "slow", {**work.request, **more}, seconds)["launch"])


def state(node: OwnNode, key: str = "step-1", wait: float = 10) -> Any:
    return node.observe("operation", id=key, wait_seconds=wait)


def supervisor(node: OwnNode) -> int:
    """The process that holds the lock and said so."""
    return int((node.state / "operations" / "running").read_text().split()[1])
