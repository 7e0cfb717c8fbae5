"""What a task is: what it must see, and one pure function from what was seen to what is due."""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

from pydantic import ConfigDict, Field, JsonValue

from maintainer.model.inventory import Node, Role
from maintainer.model.plan import Decision
from maintainer.model.values import Duration, Name, Value


class SqlQuery(Value):
    """One read-only query in the node's database; answers a list of rows, each a mapping of column to value.

    `calls` names a function of an extension that the query calls, as `name(type)`: where the database does not have it,
    or the role may not call it, the answer is an empty list, which a task must take for "cannot tell".
    """

    kind: Literal["sql-query"] = "sql-query"
    text: str
    parameters: dict[str, int | float | str] = {}
    calls: str = ""


class NodeQuery(Value):
    """One of our observing programs on the node; answers what that program documents."""

    kind: Literal["node-query"] = "node-query"
    program: str
    request: dict[str, JsonValue]


class Probe(Value):
    """Ask as a client would: `c-echo` of the archive, `select-1` of the database, or whether images can be had.

    `canary` fetches the canary study and compares its pixels; `mounts` looks for the declared mounts and their content.

    Answers `{"answered": bool, "why": str, "seconds": float}`: silence is an answer here, not a failure to look.
    `c-echo` has `implementation` besides, the name by which the archive introduced itself.
    """

    kind: Literal["probe"] = "probe"
    by: Literal["c-echo", "select-1", "canary", "mounts"]


Deviant = Literal["missing", "unreadable", "size", "digest", "bit-rot", "modified", "header", "executable-preamble"]
"""What can be wrong with an object of a store. A file that the index does not know is an orphan, and no object."""


class StoreScan(Value):
    """Compare the archive's index with its store, both ways; answers what `tasks.integrity_facts.Scan` describes.

    `resume` names the measurement that says after which key of the index to go on. It stops by itself after `at_most`.
    """

    kind: Literal["store-scan"] = "store-scan"
    grace: Duration = Field(description="younger files may not be indexed yet")
    at_most: Duration
    resume: Name


class StoreLedger(Value):
    """Read what the node's ledger says of its store; answers what `tasks.integrity_facts.Ledger` describes."""

    kind: Literal["store-ledger"] = "store-ledger"


class StoreInstances(Value):
    """Which SOP instances the archive's index lists under these keys.

    Answers `{key: {"uid", "algorithm", "digest"}}`, the keys as texts; what is not listed, or is no instance, is left
    out. A SOP instance UID is a patient's: it is for asking another node, never for a log or a screen.
    """

    kind: Literal["store-instances"] = "store-instances"
    keys: tuple[int, ...]
    within: Duration


class StoreCopies(Value):
    """Whether this node has sound copies of SOP instances: what its index lists, and its files against that.

    Answers `{uid: {"state", "algorithm", "digest"}}` of those that are listed; `state` is `sound`, `unproven` (nothing
    to compare its content with), `damaged`, `waits` (of those that may be read this time, others came first) or
    `not-read` (too large, or not read in time). The first UIDs are read first.

    `soon` is the time for all but the reading of what is large, which gets as much more as its size takes: `within` in
    all.
    """

    kind: Literal["store-copies"] = "store-copies"
    uids: tuple[str, ...]
    most_objects: int = Field(ge=0, description="so many of the first files are read")
    soon: Duration
    within: Duration


class Openings(Value):
    """When the task's own window is open within so long: `[{"opens", "closes"}, …]`, one that is open now first."""

    kind: Literal["openings"] = "openings"
    within: Duration


class Recorded(Value):
    """Measurements on record: answers `{subject: OnRecord}` over all runs on this node.

    With `above`, only of those subjects whose last value is greater.
    """

    kind: Literal["recorded"] = "recorded"
    measurement: Name
    above: float | None = None


class Room(Value):
    """How much room there is at these places, where a database's files lie.

    Answers `{path: {"free_bytes", "total_bytes", "discards"}}`; `discards`, which may be None or not there: whether the
    disk is told at once of each file that goes. What cannot be told is left out: a database on another machine than the
    node, or a path that is not there, as where the server runs in a container.
    """

    kind: Literal["room"] = "room"
    paths: tuple[str, ...]


Observation = SqlQuery | Room | NodeQuery | Probe | StoreScan | StoreLedger | StoreInstances | StoreCopies | Recorded
"""What is asked of a node, or of the log about it."""
Question = Observation | Openings


def asks_the_node(observation: Observation) -> bool:
    """Tell whether the program on the node answers it, so that it can travel in one request with others.

    >>> asks_the_node(Probe(by="mounts")), asks_the_node(Probe(by="c-echo"))
    (True, False)
    """
    return isinstance(observation, NodeQuery) or (isinstance(observation, Probe) and observation.by == "mounts")


class Params(Value):
    """What every `[tasks.NAME]` may set; a task adds its own limits."""

    window: Name = Field(description="when this task may run")
    nodes: tuple[Name, ...] | None = Field(
        None, strict=False, description="only there; without it, on every node that has what the task needs"
    )
    every: Duration | None = Field(None, description="look again only after this long since the task last ended well")


class Seen(Value):
    """A part of what was observed, as it comes in JSON; what a later version of a node says besides is left out."""

    model_config = ConfigDict(extra="ignore", strict=False, from_attributes=True)


class OnRecord(NamedTuple):
    """What `Recorded` answers of one subject; of perhaps fifty thousand, so that it must be small."""

    least: float
    last: float


class Mark(NamedTuple):
    """Measurements that were put on record together, of one subject at one time."""

    subject: str
    at: dt.datetime
    values: dict[str, float]


class Wear(NamedTuple):
    """How far a subject was on its way to being due: 0 as new, 1 when it is due."""

    subject: str
    at: dt.datetime
    share: float


class Facts(Seen):
    """What was observed, at one instant.

    `asked_at`: somebody asked for this task then, whatever its age; due unless it was done since.
    """

    observed_at: dt.datetime
    asked_at: dt.datetime | None = None


P = TypeVar("P", bound=Params)
F = TypeVar("F", bound=Facts)


class Task(ABC, Generic[P, F]):
    """One kind of maintenance. It declares and decides; it never does anything.

    The engine makes the observations, hands their answers to `plan` as `facts`, performs the steps, then observes and
    plans again: a step whose subject is still due has failed.
    """

    name: ClassVar[Name]
    on_request: ClassVar[bool] = False
    """Whether `--now` may ask for it: its plan then heeds `asked_at`."""
    looks_again: ClassVar[bool] = False
    """Whether its steps may bring to light what is due next, to be done in the same night."""
    wears: ClassVar[tuple[Name, ...]] = ()
    """Measurements by which `wear` can tell how its subjects come to be due."""
    roles: ClassVar[frozenset[Role]]
    params: ClassVar[type[Any]]
    facts: ClassVar[type[Any]]

    @abstractmethod
    def observe(self, node: Node, params: P) -> Mapping[str, Question]:
        """Say what must be seen: a field of the facts → how to get it."""

    def observe_more(self, node: Node, params: P, facts: F) -> Mapping[str, Question]:  # noqa: ARG002 (for those that do)
        """Say what must be seen besides, now that so much is known: what matters only where something is due.

        Asked again with what that brought, until it names nothing new.

        These fields of the facts have a default, at which they stay until they are asked, and without an answer.
        """
        return {}

    def wear(self, params: P, marks: Iterable[Mark]) -> Iterable[Wear]:  # noqa: ARG002 (for those that can)
        """Tell, by all that is on record of `wears`, how subjects have worn since they were last made anew.

        Pure; of each subject the oldest first.
        """
        return ()

    @abstractmethod
    def plan(self, node: Node, params: P, facts: F) -> Decision:
        """Decide. Pure: the same facts give the same decision, in a dry run as in a run."""


AnyTask = Task[Any, Any]


class Assignment(Value):
    """A task that has work on a node, with the settings that hold there."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    node: Name
    task: Name
    params: Params
    asked_at: dt.datetime | None = None
