"""Waiting until nobody sends or fetches images, so that a stop breaks nothing off."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import JsonValue

from maintainer.errors import CouldNotLook, StillInUse
from maintainer.links.deadline import Deadline
from maintainer.model.action import Drain
from maintainer.model.inventory import Node
from maintainer.model.task import NodeQuery, Observation

BETWEEN_LOOKS = 1.0
WATCHED = timedelta(seconds=1)
ARRIVING = 50_000
"""Bytes that come in while watched; an idle association says nothing, and a query is a few hundred bytes."""
NOTHING_STOPPED = "nothing was stopped; see who it is (ss -tn), or allow more time with drain_within"


def drain(asked: Drain, node: Node, observe: Callable[[Observation], JsonValue]) -> dict[str, JsonValue]:
    """Look every second until no association is open. Fail closed: who cannot look has not seen the last one end.

    Raises:
        StillInUse: images arrive and that is reason enough, or associations are open when the time is over.
    """
    if node.dicom is None:
        return {"associations": 0}
    deadline, port = Deadline(asked.within), node.dicom.port
    at_first = now = _look(port, observe, watch=asked.refuse_while_receiving)
    if asked.refuse_while_receiving and _arrives(at_first):
        raise StillInUse(f"images arrive over {_count(at_first)}", hint=NOTHING_STOPPED)
    while now["established"]:
        if deadline.passed:
            raise StillInUse(f"{_count(now)} did not end within {deadline}", hint=NOTHING_STOPPED)
        time.sleep(min(BETWEEN_LOOKS, deadline.left))
        now = _look(port, observe, watch=False)
    return {"associations": at_first["established"]}


def _look(port: int, observe: Callable[[Observation], JsonValue], *, watch: bool) -> dict[str, Any]:
    seconds = WATCHED.total_seconds() if watch else 0
    try:
        answer: Any = observe(NodeQuery(program="connections", request={"port": port, "watch_seconds": seconds}))
    except CouldNotLook as error:
        raise StillInUse(f"cannot tell whether associations are open: {error.what}", hint=error.hint) from error
    return dict(answer)


def _arrives(seen: dict[str, Any]) -> bool:
    """Where the kernel does not tell what came in, an open association is taken for one that sends."""
    received = seen["received_bytes"]
    return bool(seen["established"]) if received is None else received > ARRIVING


def _count(seen: dict[str, Any]) -> str:
    number = seen["established"]
    return f"{number} open DICOM association{'s' * (number != 1)}"
