"""What partners said of their copies on earlier nights, as the findings on record have it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from maintainer.archives.register import product
from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record, number
from maintainer.model.finding import Finding
from maintainer.model.inventory import Inventory
from maintainer.model.task import Assignment, Observation
from maintainer.planning.copies import Told, told_in, with_copies
from maintainer.running.acknowledged import last_good

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


class Sees(Protocol):
    """What is needed of a look at the damaged node."""

    def observe(self, observation: Observation) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class RecalledCopies:
    """What is known of copies without asking anybody: a dry run looks at the nodes that it is about, and no others."""

    inventory: Inventory
    recall: Callable[[Assignment], Recalled]
    clock: Callable[[], datetime]

    def added_to(
        self,
        findings: tuple[Finding, ...],
        assignment: Assignment,
        observer: Sees,  # noqa: ARG002 (for who asks)
    ) -> tuple[Finding, ...]:
        """Say in each finding about a damaged object what the partners have, and when they said so."""
        partners = self.partners(findings, assignment)
        recalled = self.recalled(findings, partners, assignment)
        return tuple(self._with(one, partners, recalled) for one in findings)

    def partners(self, findings: Sequence[Finding], assignment: Assignment) -> tuple[str, ...]:
        """Give those that may have copies of what is damaged; nobody where nothing is."""
        if all(one.indexed_as is None for one in findings) or not self._has_index(assignment.node):
            return ()
        return tuple(name for name in self.inventory.partners(assignment.node) if self._has_index(name))

    def recalled(
        self, findings: Sequence[Finding], partners: Sequence[str], assignment: Assignment
    ) -> dict[tuple[str, int], Told]:
        """By partner and key. What was answered before an object was last good was about another damage."""
        answers, now = self.recall(assignment) if partners else {}, self.clock()
        found: dict[tuple[str, int], Told] = {}
        for one in findings:
            good = last_good(one, now)
            for name in partners if one.indexed_as is not None else ():
                told = answers.get((one.subject, name))
                if told is not None and one.indexed_as is not None and (good is None or told.at >= good):
                    found[name, one.indexed_as] = told
        return found

    def _with(self, finding: Finding, partners: Sequence[str], answers: Mapping[tuple[str, int], Told]) -> Finding:
        key = finding.indexed_as
        if key is None:
            return finding
        return with_copies(
            finding, {name: answers[name, key] for name in partners if (name, key) in answers}, self.clock()
        )

    def _has_index(self, name: str) -> bool:
        """Whether there is one to be asked; in a plain tree of files nobody knows where an instance is."""
        node = self.inventory.nodes[name]
        return node.store is not None and node.database is not None and product(node.store.archive).has_index
