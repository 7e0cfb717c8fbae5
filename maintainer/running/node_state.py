"""What a node itself remembers, as the engine reads it: who holds it, and how a detached operation ended."""

import datetime as dt
from typing import Literal, TypeVar

from pydantic import ValidationError

from maintainer.errors import CouldNotLook
from maintainer.model.task import NodeQuery, Seen
from maintainer.running.ports import Observer

Shape = TypeVar("Shape", bound=Seen)

HOLDER = NodeQuery(program="holder", request={})
OLD = dt.timedelta(hours=24)


class Holder(Seen):
    controller: str
    run: str
    who: str
    since: dt.datetime
    age_seconds: int

    def __str__(self) -> str:
        return f"{self.who} (controller {self.controller}, run {self.run}), since {self.since:%Y-%m-%d %H:%M} UTC"

    @property
    def is_old(self) -> bool:
        """Tell whether any run that took it should be over by now."""
        return self.age_seconds > OLD.total_seconds()


class _Lease(Seen):
    holder: Holder | None = None


class Trouble(Seen):
    what: str
    hint: str = ""


class Operation(Seen):
    """`error` is there when it finished and did not succeed."""

    state: Literal["running", "finished", "vanished", "interrupted", "unknown-id"]
    ended_at: str | None = None
    ok: bool | None = None
    error: Trouble | None = None


def holder_of(observer: Observer) -> Holder | None:
    """Ask the node who holds it.

    Raises:
        CouldNotLook: it did not say.
    """
    return _read(_Lease, observer, HOLDER).holder


def operation(observer: Observer, step: str) -> Operation:
    """Ask the node how what was launched for a step stands.

    Raises:
        CouldNotLook: it did not say.
    """
    return _read(Operation, observer, NodeQuery(program="operation", request={"id": step}))


def _read(shape: type[Shape], observer: Observer, query: NodeQuery) -> Shape:
    try:
        return shape.model_validate(observer.observe(query))
    except ValidationError as error:
        raise CouldNotLook(f"the node's answer to {query.program} is not one of ours") from error
