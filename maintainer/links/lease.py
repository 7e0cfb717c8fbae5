"""This run's hold on a node, kept by the node itself: while we have it, nobody else's run acts there."""

from datetime import timedelta
from types import TracebackType
from typing import Any, NamedTuple, Self

import structlog
from pydantic import JsonValue

from maintainer.errors import CouldNotLook, LinkLost, MaintainerError
from maintainer.links.node_link import NodeLink
from maintainer.model.values import Value

LOG = structlog.get_logger(__name__)
TIME = timedelta(seconds=30)


class Holder(NamedTuple):
    """Who holds: the controller's id, which only it knows by heart, the run, and words for people."""

    controller: str
    run: str
    who: str


class Lease:
    """Held on one node for as long as its context lasts."""

    def __init__(self, link: NodeLink, holder: Holder) -> None:
        self._link, self._holder = link, holder

    def __enter__(self) -> Self:
        """Take it, for everything that this link does from here on.

        Raises:
            NodeHeld: another controller has it.
            ActionFailed: the node cannot keep one, so nothing may be done there.
            CouldNotLook: the node did not answer.
        """
        controller, run, who = self._holder
        answer = self._ask({"verb": "take", "controller": controller, "run": run, "who": who})
        self._link.lease = {"controller": controller, "run": run, "token": answer["token"]}
        return self

    def check(self) -> None:
        """See, before something that the node's program cannot stop, that it is still ours.

        Raises:
            NodeHeld: it is not.
            ActionFailed: the node cannot tell.
            CouldNotLook: the node did not answer, so nothing was done.
        """
        try:
            self._ask({"verb": "renew", **(self._link.lease or {})})
        except LinkLost as error:
            raise CouldNotLook(error.what, where=error.where, hint=error.hint) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back. When that cannot be said to the node, our next run takes it anew."""
        claim, self._link.lease = self._link.lease, None
        try:
            self._ask({"verb": "release", **(claim or {})})
        except MaintainerError as why:
            LOG.warning("the node's lease was not given back", node=self._link.name, error=str(why))

    def _ask(self, request: dict[str, JsonValue]) -> dict[str, Any]:
        answer: Any = self._link.program().act("lease", request, TIME)
        return dict(answer)


class Released(Value):
    """Who had held the node, if anybody did, and the operation that runs there and was or was not ended."""

    before: dict[str, str] | None
    running: str | None
    cancelled: bool = False


def release_by_person(link: NodeLink, holder: Holder, why: str, *, cancel: bool) -> Released:
    """Take a node's lease from whoever has it; with `cancel`, end what still runs there.

    Raises:
        ActionFailed: the node said no.
        CouldNotLook: the node did not answer; it may have been released.
    """
    request: dict[str, JsonValue] = {"verb": "release-by-person", "controller": holder.controller}
    answer: Any = link.program().act("lease", {**request, "who": holder.who, "why": why}, TIME)
    released = Released(before=answer["released"], running=answer["running"])
    if not cancel or released.running is None:
        return released
    with Lease(link, holder):
        ended: Any = link.program().act("cancel", {"id": released.running}, TIME)
    return released.model_copy(update={"cancelled": ended["state"] != "running"})
