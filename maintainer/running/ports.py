"""What the engine asks of the world. `maintainer.links` has the real ones; tests run the same contracts over both.

Only the executor is ever given an `Actor`; a dry run holds observers and nothing else.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol

from pydantic import JsonValue

from maintainer.errors import CouldNotLook
from maintainer.model.action import Action
from maintainer.model.progress import Tell, to_nobody
from maintainer.model.task import Observation


class Observer(Protocol):
    """Looks at one node. Nothing that it can send changes anything there."""

    def observe(self, observation: Observation) -> JsonValue:
        """Answer in the observation's documented shape.

        Raises:
            CouldNotLook: there was no answer; its sentence says why.
        """
        ...

    def together(self, observations: Sequence[Observation]) -> list[JsonValue | CouldNotLook]:
        """Answer several, each by itself or by why there is none; those for the node's program in one request."""
        ...


class Actor(Protocol):
    """Changes one node, one action at a time."""

    def perform(self, action: Action, timeout: timedelta, step: str, tell: Tell = to_nobody) -> dict[str, JsonValue]:
        """Do it and answer what was measured. `step` is the id by which the node knows it, also after a lost link.

        Raises:
            NodeHeld: another run or another controller holds the node by now; nothing was done.
            GaveWay: somebody waited for it, so that it was cancelled.
            ActionFailed: the node said that it did not succeed.
            LinkLost: the link broke, so that it may or may not have happened.
            CouldNotLook: it was never sent.
        """
        ...


Look = Callable[[str], AbstractContextManager[Observer]]
Work = Callable[[str], AbstractContextManager[tuple[Observer, Actor]]]
"""Eyes and hands on one node, which this run alone holds for as long as the context lasts.

Entering it raises NodeHeld when another controller holds the node, ActionFailed when the node cannot keep a lease, and
CouldNotLook when it does not answer.
"""


class Namer(Protocol):
    """Gives a patient's object a name that says nothing to whoever does not hold the controller's key."""

    def of(self, kind: str, value: str) -> str: ...
