"""How long a node was out of service: from the beginning of the stop until every probe answers again."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import JsonValue

from maintainer.errors import ActionFailed, CouldNotLook
from maintainer.model.inventory import Node
from maintainer.model.probes import probes, silence
from maintainer.model.task import NodeQuery, Observation

BETWEEN_PROOFS = 0.1

Observe = Callable[[Observation], JsonValue]


class Outage:
    """One node's, by the controller's monotonic clock. What began before this run has no length that we know."""

    def __init__(self) -> None:
        self._since: float | None = None

    def begins(self) -> None:
        self._since = self._since or time.monotonic()

    def ends(self, name: str, node: Node, observe: Observe, within: timedelta) -> dict[str, JsonValue]:
        """Ask ten times a second until the node serves; answers how long that took.

        Raises:
            ActionFailed: it does not serve in time; the last silence is the text.
        """
        started = time.monotonic()
        while True:
            begun = time.monotonic()
            why = _silence(node, observe)
            now = time.monotonic()
            if not why:
                return self._measured(started, now)
            if now - started >= within.total_seconds():
                what = f"it does not serve after {now - started:.0f} s: {why}"
                raise ActionFailed(what, where=name, hint="look at the service's own log on the node")
            time.sleep(max(0.0, begun + BETWEEN_PROOFS - now))

    def _measured(self, started: float, now: float) -> dict[str, JsonValue]:
        measured: dict[str, JsonValue] = {"served_after_seconds": round(now - started, 3)}
        if self._since is not None:
            measured["outage_seconds"] = round(now - self._since, 3)
        self._since = None
        return measured


def _silence(node: Node, observe: Observe) -> str:
    """Ask as clients do, and once they are served whether every service runs; a node without clients has only those."""
    try:
        why = silence(node, observe) if probes(node) else ""
        return why or _not_running(node, observe)
    except CouldNotLook as error:
        return error.what


def _not_running(node: Node, observe: Observe) -> str:
    if not node.services:
        return "" if probes(node) else "it has nothing that could be asked"
    states: Any = observe(NodeQuery(program="services", request={}))
    stopped = [f"{name} is {states[name]['state']}" for name in node.services if states[name]["state"] != "running"]
    return ", ".join(stopped)
