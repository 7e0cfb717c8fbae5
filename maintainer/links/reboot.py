"""Rebooting a node, and waiting until another boot answers."""

import contextlib
import time
from datetime import timedelta
from typing import Any

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost
from maintainer.links.deadline import Deadline
from maintainer.links.node_link import NodeLink
from maintainer.links.node_observer import NodeObserver
from maintainer.model.task import NodeQuery

BETWEEN_LOOKS = 1.0
TO_ASK = timedelta(seconds=30)
HINT = "look at its console; its group is left alone until a person says otherwise"


def reboot(link: NodeLink, observer: NodeObserver, within: timedelta) -> dict[str, Any]:
    """Ask the node to reboot, and come back when it answers with another boot id.

    Raises:
        ActionFailed: it refused, it did not reboot, or it does not answer in time.
        CouldNotLook: it could not be asked which boot it is in, so nothing was done.
    """
    before = _boot_id(observer)
    if before is None:
        raise ActionFailed("the node does not tell one boot from another", where=link.name, hint="nothing was done")
    begun, deadline = time.monotonic(), Deadline(within)
    with contextlib.suppress(LinkLost):  # it may have been quicker than its answer: the boot id will tell
        link.program().act("reboot", {"boot_id": before}, TO_ASK)
    last = "it went on running"
    while not deadline.passed:
        time.sleep(min(BETWEEN_LOOKS, deadline.left))
        link.close()
        try:
            now = _boot_id(observer)
        except CouldNotLook as error:
            last = error.said_of(link.name)
            continue
        if now not in {None, before}:
            return {"away_seconds": round(time.monotonic() - begun, 3), "boot_id": now}
        last = "it went on running"
    raise ActionFailed(f"no other boot answered within {deadline}: {last}", where=link.name, hint=HINT)


def _boot_id(observer: NodeObserver) -> str | None:
    hello: Any = observer.observe(NodeQuery(program="hello", request={}))
    found: str | None = hello.get("boot_id")
    return found
