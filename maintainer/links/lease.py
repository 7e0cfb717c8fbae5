"""This run's hold on a node, kept by the node itself: while we have it, nobody else's run acts there."""

from datetime import timedelta
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import structlog
from pydantic import JsonValue

from maintainer.errors import CouldNotLook, LinkLost, LogError, MaintainerError
from maintainer.links.node_link import NodeLink
from maintainer.model.values import Value

LOG = structlog.get_logger(__name__)
TIME = timedelta(seconds=30)


class WitnessedLog(Protocol):
    """The intervention log, as far as nodes are shown it."""

    def end(self) -> tuple[int, str]:
        """Give the number of records, and the hash of the last of them."""

    def hash_of(self, seq: int) -> str | None:
        """Give the hash of a record; none: there is no such record."""


class Holder(NamedTuple):
    """Who holds: the controller's id, which only it knows by heart, the run, words for people, and the log."""

    controller: str
    run: str
    who: str
    log: WitnessedLog | None = None


class Lease:
    """Held on one node for as long as its context lasts."""

    def __init__(self, link: NodeLink, holder: Holder) -> None:
        self._link, self._holder = link, holder
        self._shows_log = False

    def __enter__(self) -> Self:
        """Take it, for everything that this link does from here on.

        Raises:
            NodeHeld: another controller has it.
            ActionFailed: the node cannot keep one, so nothing may be done there.
            CouldNotLook: the node did not answer.
            LogError: the node was shown a log that this one does not go on from.
        """
        controller, run, who, log = self._holder
        answer = self._ask({"verb": "take", "controller": controller, "run": run, "who": who})
        self._link.lease = {"controller": controller, "run": run, "token": answer["token"]}
        if log is not None and "shown" in answer:  # a prepared node with an older program remembers none
            try:
                self._compare(log, answer["shown"])
            except LogError:
                self.__exit__(None, None, None)
                raise
            self._shows_log = True
        return self

    def _compare(self, log: WitnessedLog, shown: dict[str, Any] | None) -> None:
        if shown is None or log.hash_of(shown["size"]) == shown["root"]:
            return
        size, _ = log.end()
        other = f"has {size}" if size < shown["size"] else "has another one there"
        raise LogError(
            f"this is not the log that {self._link.name} was shown: that had {shown['size']} records, and this {other}",
            where=f"witness on {self._link.name}",
            hint="put back the newest copy of the state folder. If the older one was put there on purpose:"
            f" `maintainer node release {self._link.name} --accept-log --why …`",
        )

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
        """Show the log as it is now, and give it back. When that cannot be said, our next run takes it anew."""
        claim, self._link.lease = self._link.lease, None
        end: dict[str, JsonValue] = {}
        if self._holder.log is not None and self._shows_log:
            size, root = self._holder.log.end()
            end = {"log": {"size": size, "root": root}}
        try:
            self._ask({"verb": "release", **(claim or {}), **end})
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


def release_by_person(link: NodeLink, holder: Holder, why: str, *, cancel: bool, accept_log: bool) -> Released:
    """Take a node's lease from whoever has it; with `cancel`, end what still runs there.

    `accept_log`: the node forgets what log it was shown, and the next one that it is shown is right.

    Raises:
        ActionFailed: the node said no.
        CouldNotLook: the node did not answer; it may have been released.
    """
    request: dict[str, JsonValue] = {"verb": "release-by-person", "controller": holder.controller}
    request |= {"forget": True} if accept_log else {}
    answer: Any = link.program().act("lease", {**request, "who": holder.who, "why": why}, TIME)
    released = Released(before=answer["released"], running=answer["running"])
    if not cancel or released.running is None:
        return released
    with Lease(link, holder):
        ended: Any = link.program().act("cancel", {"id": released.running}, TIME)
    return released.model_copy(update={"cancelled": ended["state"] != "running"})
