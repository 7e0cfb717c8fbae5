"""Where things stand, as the intervention log knows it: the last run, what was found, what waits for a person."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.open_ends import OpenEnds
from maintainer.intervention_log.record import Kind, Record, number
from maintainer.model.finding import Finding
from maintainer.model.task import Assignment
from maintainer.model.values import Name, Value
from maintainer.planning.covered import WITHIN, Covered
from maintainer.running.acknowledged import Acknowledgements
from maintainer.running.caution import forgotten, frozen_since, how_to_close, how_to_thaw, work_of
from maintainer.running.reconcile import how_to_settle

_MEASURED_BY_A_LOOK = 4
"""Records of a run's two looks at a store: the ledger's root and the coverage, each time."""


class Standing(Value):
    """One task on one node, as the last run that looked left it."""

    node: Name
    task: Name
    decided_at: str = ""
    answer: str = ""
    because: str = ""
    endings: dict[str, int] = {}


class Found(Value):
    node: Name
    task: Name
    finding: Finding


class StoreCoverage(Value):
    """How much of one node's store was read within its period, as the newest look measured it."""

    node: Name
    as_of: str
    coverage: Covered


class Waiting(Value):
    """Something that a person has to do. `id` is what the command in `do` is given: a step, a number or a group."""

    kind: Literal["step", "intervention", "group"]
    id: str
    node: Name
    since: str
    what: str
    do: str


class Status(Value):
    """Everything that `maintainer status` shows.

    `open_intents` are steps whose ending nobody knows, `people` the interventions that are open, `running` says who
    runs now.
    """

    format: Literal["maintainer.status/1"] = "maintainer.status/1"
    last_run: str
    last_run_at: str
    closed: bool
    tasks: tuple[Standing, ...]
    findings: tuple[Found, ...]
    open_intents: tuple[str, ...]
    people: tuple[str, ...] = ()
    running: str = ""
    waiting: tuple[Waiting, ...] = ()
    stores: tuple[StoreCoverage, ...] = ()


def standing(log: InterventionLog, assignments: tuple[Assignment, ...], now: datetime, running: str = "") -> Status:
    """Read the newest run of each task, and what is open."""
    opened = next(iter(log.records(Filter(kind=Kind.RUN_OPENED, limit=1))), None)
    closed = next(iter(log.records(Filter(kind=Kind.RUN_CLOSED, limit=1))), None)
    ends = log.open_ends()
    known = Acknowledgements.of(log)
    looked = [_task(log, assignment, known) for assignment in assignments]
    return Status(
        last_run=opened.run if opened else "",
        last_run_at=opened.time if opened else "",
        closed=bool(opened and closed and opened.run == closed.run),
        tasks=tuple(task for task, _ in looked),
        findings=tuple(found for _, findings in looked for found in findings),
        open_intents=tuple(f"{i.node} {i.task} {i.subject} since {i.time}" for i in ends.intents),
        people=tuple(work_of(record) for record in ends.interventions),
        running=running,
        waiting=waiting(ends, now),
        stores=tuple(one for assignment in assignments for one in _coverage(log, assignment)),
    )


def waiting(ends: OpenEnds, now: datetime) -> tuple[Waiting, ...]:
    """List what no run will settle by itself: steps that were looked at in vain, forgotten visits, frozen groups."""
    found: list[Waiting] = []
    for intent in ends.intents:
        if look := ends.doubts.get(intent.step):
            what = f"how {intent.title} of {intent.task} ended is not known: {look.text}"
            found.append(_waiting("step", intent.step, intent, what, how_to_settle(intent)))
    for visit in ends.interventions:
        if forgotten(visit, now):
            what = f"{work_of(visit)}; that time is over"
            found.append(_waiting("intervention", str(visit.seq), visit, what, how_to_close(visit)))
    for frozen in ends.frozen:
        group = frozen.subject
        found.append(_waiting("group", group, frozen, frozen_since(frozen), how_to_thaw(group, frozen.node)))
    return tuple(found)


def _waiting(kind: Literal["step", "intervention", "group"], name: str, record: Record, what: str, do: str) -> Waiting:
    return Waiting(kind=kind, id=name, node=record.node, since=record.time, what=what, do=do)


def _coverage(log: InterventionLog, assignment: Assignment) -> Iterator[StoreCoverage]:
    """Read what the newest look measured; nothing where that was no coverage."""
    where = Filter(node=assignment.node, task=assignment.task, kind=Kind.MEASURED, limit=_MEASURED_BY_A_LOOK)
    records = list(log.records(where))
    newest = [one for one in records if one.run == records[-1].run and WITHIN in one.measured]
    if newest:
        numbers = {name: value for name, text in newest[-1].measured.items() if (value := number(text)) is not None}
        yield StoreCoverage(node=assignment.node, as_of=newest[-1].time, coverage=Covered.read(numbers))


def _task(log: InterventionLog, assignment: Assignment, known: Acknowledgements) -> tuple[Standing, list[Found]]:
    where = Filter(node=assignment.node, task=assignment.task)
    last = next(iter(log.records(where.model_copy(update={"kind": Kind.DECIDED, "limit": 1}))), None)
    if last is None:
        return Standing(node=assignment.node, task=assignment.task), []
    records = [r for r in log.records(where.model_copy(update={"run": last.run})) if r.seq >= last.seq]
    told = [(r, r.finding) for r in records if r.finding]
    found = [Found(node=r.node, task=r.task, finding=known.mark(r.node, r.task, one, r.at)) for r, one in told]
    return _standing(assignment, last, records), found


def _standing(assignment: Assignment, last: Record, records: list[Record]) -> Standing:
    endings: dict[str, int] = {}
    for record in records:
        if record.kind in {Kind.OUTCOME, Kind.RECONCILED} and record.ending:
            endings[record.ending] = endings.get(record.ending, 0) + 1
    return Standing(
        node=assignment.node,
        task=assignment.task,
        decided_at=last.time,
        answer=last.reason,
        because=last.text,
        endings=endings,
    )
