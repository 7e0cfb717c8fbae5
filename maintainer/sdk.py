"""Everything that a task may import, ours or a third party's."""

from importlib.resources import files

from pydantic import Field, JsonValue

from maintainer.archives import product_of
from maintainer.model.action import (
    CHECKED_AT,
    DAMAGE,
    TRIED_AT,
    Action,
    CheckRelations,
    Damage,
    Drain,
    NodeOperation,
    ProveService,
    Reboot,
    RelationCheck,
    RestartServices,
    Setting,
    Sql,
    VerifyStore,
)
from maintainer.model.finding import Finding, Measurement, Severity
from maintainer.model.inventory import CleanupRoot, Node, Role
from maintainer.model.plan import Decision, Nothing, Refuse, Risk, Step, Steps
from maintainer.model.service import CommandService, UnitService
from maintainer.model.task import (
    Deviant,
    Facts,
    Mark,
    NodeQuery,
    Observation,
    OnRecord,
    Openings,
    Params,
    Probe,
    Question,
    Recorded,
    Room,
    Seen,
    SqlQuery,
    StoreLedger,
    StoreScan,
    Task,
    Wear,
)
from maintainer.model.values import Duration, Name, Size, TimeLimit, Value, write_duration
from maintainer.planning.coverage import Age, Coverage, Opening, Store, coverage
from maintainer.planning.covered import Covered
from maintainer.planning.database import (
    HORIZON,
    SERVER,
    DatabaseServer,
    Holder,
    builds_corrupt,
    held_back,
    not_now,
    pace,
    prepared_for_long,
    quoted,
    subjects,
    vacuum_pace,
)
from maintainer.planning.ledger_trust import Trust, trust
from maintainer.planning.outage import OutageParams, ProbeAnswer, drain, image_findings, image_probes, no_images
from maintainer.planning.schedule import DayRule, last_planned
from maintainer.planning.service_order import components, dependents, in_order

__all__ = [
    "CHECKED_AT",
    "DAMAGE",
    "HORIZON",
    "SERVER",
    "TRIED_AT",
    "Action",
    "Age",
    "CheckRelations",
    "CleanupRoot",
    "CommandService",
    "Coverage",
    "Covered",
    "Damage",
    "DatabaseServer",
    "DayRule",
    "Decision",
    "Deviant",
    "Drain",
    "Duration",
    "Facts",
    "Field",
    "Finding",
    "Holder",
    "JsonValue",
    "Mark",
    "Measurement",
    "Name",
    "Node",
    "NodeOperation",
    "NodeQuery",
    "Nothing",
    "Observation",
    "OnRecord",
    "Opening",
    "Openings",
    "OutageParams",
    "Params",
    "Probe",
    "ProbeAnswer",
    "ProveService",
    "Question",
    "Reboot",
    "Recorded",
    "Refuse",
    "RelationCheck",
    "RestartServices",
    "Risk",
    "Role",
    "Room",
    "Seen",
    "Setting",
    "Severity",
    "Size",
    "Sql",
    "SqlQuery",
    "Step",
    "Steps",
    "Store",
    "StoreLedger",
    "StoreScan",
    "Task",
    "TimeLimit",
    "Trust",
    "UnitService",
    "Value",
    "VerifyStore",
    "Wear",
    "builds_corrupt",
    "components",
    "coverage",
    "dependents",
    "drain",
    "held_back",
    "image_findings",
    "image_probes",
    "in_order",
    "last_planned",
    "no_images",
    "not_now",
    "pace",
    "prepared_for_long",
    "product_of",
    "quoted",
    "sql_file",
    "subjects",
    "trust",
    "vacuum_pace",
    "write_duration",
]


def sql_file(package: str, name: str) -> str:
    """Read `sql/NAME` of a task's package, once, when the task is imported.

    >>> sql_file("tasks", "db_vacuum_tables.sql").startswith("--")
    True
    """
    return (files(package) / "sql" / name).read_text("utf-8")
