"""What a step may do: one of a closed union.

No shell string exists anywhere: what a dry run prints, what the node's policy allows and what runs are the same value.
"""

from enum import IntEnum
from itertools import groupby
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from maintainer.model.values import Duration, Name, Value

Setting = Literal[
    "maintenance_work_mem",
    "max_parallel_maintenance_workers",
    "vacuum_buffer_usage_limit",
    "vacuum_cost_delay",
    "vacuum_cost_limit",
]
"""Settings of PostgreSQL that say how much of the server a statement may take, and nothing else."""


class Sql(Value):
    """One statement in the node's database, outside any transaction block.

    `settings` hold for it alone; one that the server's version does not know is left out. They follow from how busy the
    clinic is when somebody looks, so that they are no part of what is approved.
    """

    kind: Literal["sql"] = "sql"
    text: str
    settings: dict[Setting, int | str] = {}


class RelationCheck(Value):
    """One statement that reads a table or an index whole and fails when it is damaged.

    `timeout` is its share of the step's time, and as that is no part of what is approved.
    """

    subject: str
    text: str
    timeout: Duration


class CheckRelations(Value):
    """Read tables and indexes of the node's database, one after the other, and put on record what was found of each.

    Nothing can be written. On record go, of each, `DAMAGE`, one of `Damage`, and `CHECKED_AT`, seconds since 1970. Of
    one whose check told nothing goes `TRIED_AT` alone: what was known of it before is known still.
    """

    kind: Literal["check-relations"] = "check-relations"
    checks: tuple[RelationCheck, ...] = Field(min_length=1)


class Damage(IntEnum):
    """What was found of a relation. `UNREADABLE`: a page of it, or of the table that its index was compared with."""

    NONE = 0
    INCONSISTENT = 1
    UNREADABLE = 2


DAMAGE, CHECKED_AT, TRIED_AT = "damage", "checked-at", "tried-at"


class RestartServices(Value):
    """Restart services of the node's inventory, or start those that do not run, as one operation there.

    There is no action that only stops a service: what was stopped is started, whatever becomes of controller and link.
    """

    kind: Literal["restart-services"] = "restart-services"
    services: tuple[Name, ...] = Field(min_length=1, description="in starting order; all of them run in the end")
    stop_first: tuple[Name, ...] = Field((), description="those of them that may be stopped for it")

    @model_validator(mode="after")
    def _starts_what_it_stops(self) -> Self:
        if len(set(self.services)) < len(self.services) or not set(self.stop_first) <= set(self.services):
            raise ValueError("what is stopped is not part of what runs in the end, or a service is named twice")
        return self

    @property
    def title(self) -> str:
        """Say what happens, in starting order.

        >>> RestartServices(services=("database", "archive"), stop_first=("database", "archive")).title
        'restart database, archive'
        >>> RestartServices(services=("database", "archive"), stop_first=("database",)).title
        'restart database, start archive'
        """
        verbs = groupby(self.services, lambda name: "restart" if name in self.stop_first else "start")
        return ", ".join(f"{verb} {', '.join(names)}" for verb, names in verbs)


class NodeOperation(Value):
    """Run one of our acting programs on the node."""

    kind: Literal["node-operation"] = "node-operation"
    program: str
    request: dict[str, JsonValue]


class Drain(Value):
    """Wait until every DICOM association with the node has ended. Changes nothing, and fails when they do not end."""

    kind: Literal["drain"] = "drain"
    within: Duration
    refuse_while_receiving: bool = False


class Reboot(Value):
    """Reboot the node and wait until it answers with another boot id."""

    kind: Literal["reboot"] = "reboot"
    within: Duration


class AsFound(Value):
    """An object of a plain tree as a person was told of it. `sha256`: of its content, none of what is missing."""

    key: int
    verdict: str
    sha256: str | None


class VerifyStore(Value):
    """Read what is due of the node's store and compare it with the archive's index and the node's ledger.

    Only the ledger, a file of ours, is written. `night` names the opening of the window that this is done for. The
    engine writes in `accepted` what a person accepted until then, which was approved by that.
    """

    kind: Literal["verify-store"] = "verify-store"
    night: str
    quota: int | None = Field(ge=0, description="bytes to read; none: as many as the time allows")
    rate: int | None = Field(ge=1, description="bytes a second at most")
    threads: int = Field(ge=1, le=16)
    pause_above: int = Field(ge=0, description="bytes a second over the archive's DICOM port while nothing is read")
    grace: Duration = Field(description="a younger file may not be indexed yet")
    lost_share: float = Field(gt=0, le=1, description="from here on it is a lost mount or another database")
    accepted: tuple[AsFound, ...] = Field((), description="objects that are as they should be, if they still are this")


class ProveService(Value):
    """Wait until the node serves again: every probe that it has answers. Changes nothing."""

    kind: Literal["prove-service"] = "prove-service"
    within: Duration


Action = Annotated[
    Sql | CheckRelations | RestartServices | NodeOperation | Drain | Reboot | ProveService | VerifyStore,
    Field(discriminator="kind"),
]


_NOT_APPROVED: Any = {"settings": True, "accepted": True, "checks": {"__all__": {"timeout"}}}


def effect(action: Action) -> dict[str, JsonValue]:
    """Everything about an action that matters to whoever approves it."""
    return action.model_dump(mode="json", exclude=_NOT_APPROVED)
