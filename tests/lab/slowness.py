"""Services that take their time to stop, or that do not come back, so that faults can happen in the middle."""

import contextlib
from collections.abc import Iterator

from tests.lab.guard import STATE, until
from tests.lab.node import LabNode

UNIT = "orthanc.service"
_HOLD, _STOPS, _DROP_IN = "/run/hold", "/run/stops", f"/etc/systemd/system/{UNIT}.d/test.conf"
_SLOW = f"ExecStop=+/bin/sh -c 'echo stop >>{_STOPS}; while [ -e {_HOLD} ]; do sleep 0.05; done'"


class SlowStop:
    """The archive's stop: it waits until it is let go, and serves meanwhile."""

    def __init__(self, node: LabNode) -> None:
        self.node = node

    def begun(self) -> int:
        """How often the archive was told to stop, in this boot."""
        return len(self.node.run("sh", "-c", f"cat {_STOPS} 2>/dev/null; true").stdout.split())

    def await_begin(self) -> None:
        until(self.begun)

    def let_go(self) -> None:
        self.node.run("rm", "-f", _HOLD)

    def operation(self) -> tuple[str, int]:
        """Which operation of ours runs there: its id, and the process that sees it through."""
        words = self.node.run("cat", f"{STATE}/operations/running").stdout.split()
        return words[0], int(words[1])


@contextlib.contextmanager
def slow_stop(node: LabNode) -> Iterator[SlowStop]:
    """Let the archive stop only when it is let go, until the block ends."""
    node.run("sh", "-c", f"rm -f {_STOPS}; touch {_HOLD}")
    with _with_setting(node, _SLOW):
        try:
            yield SlowStop(node)
        finally:
            node.run("rm", "-f", _HOLD, _STOPS)


@contextlib.contextmanager
def that_does_not_start(node: LabNode) -> Iterator[None]:
    """Let the archive not start any more, until the block ends; then it is started."""
    with _with_setting(node, "ExecStartPre=/bin/false\nRestart=no"):
        yield
    node.run("systemctl", "reset-failed", UNIT)
    node.run("systemctl", "start", UNIT)


@contextlib.contextmanager
def _with_setting(node: LabNode, line: str) -> Iterator[None]:
    node.write(_DROP_IN, f"[Service]\n{line}")
    node.run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        node.run("rm", "-f", _DROP_IN)
        node.run("systemctl", "daemon-reload")
