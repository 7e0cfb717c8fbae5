"""One tree of errors. Each says what happened, where, and what to do, for a person who was woken up at night.

The exit codes are part of the command line's contract; `docs/exit-codes.md` explains them to scripts.
"""

from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """What a script may rely on. When several apply, the first of UNKNOWN, TROUBLE, REFUSED wins."""

    FINE = 0
    TROUBLE = 1  # findings, or a step that failed
    USAGE = 2  # the command line or the inventory is wrong; nothing was touched
    UNKNOWN = 3  # a node could not be looked at, or a step's ending is not known
    REFUSED = 4  # a guard, a task or a plan file's check said no
    BUG = 70  # not foreseen: please report it
    LOG = 74  # the intervention log cannot be written or trusted, so nothing was done
    BUSY = 75  # another run holds the controller
    INTERRUPTED = 130


class MaintainerError(Exception):
    """Anything foreseen that ends a command.

    >>> print(MaintainerError("the file is empty", where="inventory.toml", hint="write a [site] section"))
    inventory.toml: the file is empty
      → write a [site] section
    """

    exit: Exit = Exit.TROUBLE

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint
        self.measurements: list[Any] = []
        """What an action that ends with this has found out all the same, to be put on record."""

    def said_of(self, place: str) -> str:
        """Say what happened to whoever knows already that it is about `place`.

        >>> CouldNotLook("the secret is empty", where="/etc/maintainer/key").said_of("pacs-a")
        '/etc/maintainer/key: the secret is empty'
        """
        return self.what if self.where in {"", place} else f"{self.where}: {self.what}"

    def told_of(self, place: str) -> str:
        """Say in one line what happened and what to do, to whoever knows already that it is about `place`.

        >>> ActionFailed("the stop command ended with 1", where="pacs-a", hint="run it by hand").told_of("pacs-a")
        'the stop command ended with 1 → run it by hand'
        """
        return f"{self.said_of(place)} → {self.hint}" if self.hint else self.said_of(place)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  → {self.hint}" if self.hint else head


class UsageError(MaintainerError):
    """The command was asked for something that cannot be."""

    exit = Exit.USAGE


class InventoryError(MaintainerError):
    """The inventory is wrong; `problems` lists every mistake as `file:line:column: where: sentence`."""

    exit = Exit.USAGE

    def __init__(self, problems: tuple[str, ...], *, hint: str = "") -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class PlanFileError(MaintainerError):
    """A plan file is stale, foreign, damaged or not a plan."""

    exit = Exit.REFUSED


class WindowClosed(MaintainerError):
    """A window was asked for that is not open; nothing is ever caught up outside it."""

    exit = Exit.REFUSED


class CouldNotLook(MaintainerError):
    """An observation got no answer. It is never the same as "nothing is there"."""

    exit = Exit.UNKNOWN


class NodeUnreachable(CouldNotLook):
    """The node cannot be reached, or is not the machine that the inventory pins."""


class LinkLost(CouldNotLook):
    """The link broke after something was asked: the node may or may not have done it."""


class ActionFailed(MaintainerError):
    """The node or the database answered that the action did not succeed."""


class NodeHeld(ActionFailed):
    """Another run or another controller holds the node; nothing was done."""

    exit = Exit.REFUSED


class StillInUse(ActionFailed):
    """Somebody still uses what was to be stopped; nothing was stopped."""


class GaveWay(ActionFailed):
    """A statement kept others waiting, or would have had to wait too long itself: it was cancelled for their sake."""

    exit = Exit.REFUSED


class LogError(MaintainerError):
    """The intervention log cannot be written, read or trusted."""

    exit = Exit.LOG


class Busy(MaintainerError):
    """Somebody else holds what is needed; `where` says who."""

    exit = Exit.BUSY
