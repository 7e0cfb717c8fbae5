"""What partners said of their copies on earlier nights, as the findings on record have it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record, number
from maintainer.model.task import Assignment
from maintainer.planning.copies import Told, told_in

NEWEST = 1000
"""So many findings are looked through: a look tells some 200 objects, and each night tells again what it knows."""

Recalled = Mapping[tuple[str, str], Told]
"""By the object's name in the findings, and the partner."""


def recall(log: InterventionLog, assignment: Assignment) -> Recalled:
    """Give the newest answer of each partner about each object of a node."""
    where = Filter(node=assignment.node, task=assignment.task, kind=Kind.FINDING, limit=NEWEST)
    return dict(_all(log.records(where)))


def _all(records: Iterable[Record]) -> Iterator[tuple[tuple[str, str], Told]]:
    for record in records:
        for partner, copy, ago in told_in(record.finding.evidence if record.finding else {}):
            seconds = number(ago) or 0.0
            yield (record.subject, partner), Told(copy, record.at - timedelta(seconds=seconds))
