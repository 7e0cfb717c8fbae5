"""Where a good copy of a damaged object is: the node's partners are asked for the same SOP instance.

They only look, at a few objects a night, and whoever cannot be asked is told as that: it costs no step its ending.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import structlog

from maintainer.archives.register import product
from maintainer.errors import CouldNotLook
from maintainer.model.finding import Finding
from maintainer.model.inventory import Inventory
from maintainer.model.task import Assignment, Observation, StoreCopies, StoreInstances
from maintainer.planning.copies import ANSWERS, Copy, Told, with_copies, worth
from maintainer.running.acknowledged import last_good
from maintainer.running.ports import Look
from maintainer.running.recalled_copies import Recalled

LOG = structlog.get_logger(__name__)

MOST_OBJECTS = 20
"""So many are read of a partner's store in a run, for one node; those first whose answer is the oldest."""
MOST_BYTES = 1_000_000_000
LONGEST = timedelta(minutes=1)
LEAST = timedelta(seconds=10)
"""With less of the window left, nobody is asked."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class _Sees(Protocol):
    """What is needed of a look at the damaged node."""

    def observe(self, observation: Observation) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Copies:
    """One run's questions for copies, each asked once. `time_left`: until the window of a task closes.

    `recall`: what was answered on earlier nights, which is told of those that are not asked about in this one.
    """

    inventory: Inventory
    look: Look
    time_left: Callable[[Assignment], timedelta]
    recall: Callable[[Assignment], Recalled]
    clock: Callable[[], datetime]
    known: dict[tuple[str, str, int], Told] = field(default_factory=dict)
    """By node, partner and the object's key in the node's index."""

    def added_to(self, findings: tuple[Finding, ...], assignment: Assignment, observer: _Sees) -> tuple[Finding, ...]:
        """Say in each finding about a damaged object what the partners have, who are asked for what nobody knows of."""
        names = self.inventory.partners(assignment.node) if self._has_index(assignment.node) else ()
        partners = [name for name in names if self._has_index(name)]
        if not partners or all(one.indexed_as is None for one in findings):
            return findings
        recalled = self._recalled(findings, partners, assignment)
        keys = [one.indexed_as for one in findings if one.indexed_as is not None and one.acknowledged is None]
        new = [key for key in keys if (assignment.node, partners[0], key) not in self.known]
        if new:
            self._ask(new, partners, assignment, observer, recalled)
        return tuple(self._told(one, assignment.node, partners, recalled) for one in findings)

    def _recalled(
        self, findings: Sequence[Finding], partners: Sequence[str], assignment: Assignment
    ) -> dict[tuple[str, int], Told]:
        """By partner and key. What was answered before an object was last good was about another damage."""
        answers, now = self.recall(assignment), self.clock()
        found: dict[tuple[str, int], Told] = {}
        for one in findings:
            good = last_good(one, now)
            for name in partners if one.indexed_as is not None else ():
                told = answers.get((one.subject, name))
                if told is not None and one.indexed_as is not None and (good is None or told.at >= good):
                    found[name, one.indexed_as] = told
        return found

    def _has_index(self, name: str) -> bool:
        """Whether there is one to be asked; in a plain tree of files nobody knows where an instance is."""
        node = self.inventory.nodes[name]
        return node.store is not None and node.database is not None and product(node.store.archive).has_index

    def _told(
        self, finding: Finding, node: str, partners: Sequence[str], recalled: Mapping[tuple[str, int], Told]
    ) -> Finding:
        key = finding.indexed_as
        if key is None:
            return finding
        found: dict[str, Told] = {}
        for name in partners:
            now, before = self.known.get((node, name, key)), recalled.get((name, key))
            told = now if now is not None and (now.copy in ANSWERS or before is None) else before
            if told is not None:
                found[name] = told
        return with_copies(finding, found, self.clock())

    def _ask(
        self,
        keys: list[int],
        partners: Sequence[str],
        assignment: Assignment,
        observer: _Sees,
        recalled: Mapping[tuple[str, int], Told],
    ) -> None:
        """Ask the node which instances these are, and each partner for those; what its index lost since is left out."""
        for name in partners:
            for key in keys:
                self._note(assignment.node, name, key, "not-asked")
        within = self._within(assignment)
        if within is None:
            return
        try:
            listed: Any = observer.observe(StoreInstances(keys=tuple(keys), within=within))
        except CouldNotLook as error:
            LOG.warning("no partner was asked for copies", node=assignment.node, error=error.what)
            return
        indexed = {key: listed[str(key)] for key in keys if str(key) in listed}
        for name in partners:
            last = {key: recalled[name, key].at if (name, key) in recalled else _NEVER for key in indexed}
            oldest = sorted(indexed, key=last.__getitem__)
            self._ask_partner(name, {key: indexed[key] for key in oldest}, assignment)

    def _ask_partner(self, name: str, indexed: dict[int, Any], assignment: Assignment) -> None:
        within = self._within(assignment)
        if within is None or not indexed:
            return
        asked = StoreCopies(
            uids=tuple(one["uid"] for one in indexed.values()),
            most_objects=MOST_OBJECTS - self._read_of(assignment.node, name),
            most_bytes=MOST_BYTES,
            within=within,
        )
        try:
            with self.look(name) as partner:
                found: Any = partner.observe(asked)
        except CouldNotLook as error:
            LOG.warning("a partner was not asked for copies", node=name, error=error.what)
            return
        for key, one in indexed.items():
            self._note(assignment.node, name, key, worth(one, found.get(one["uid"])))

    def _note(self, node: str, partner: str, key: int, copy: Copy) -> None:
        self.known[node, partner, key] = Told(copy, self.clock())

    def _read_of(self, node: str, partner: str) -> int:
        read = {"good", "sound", "unproven", "damaged"}
        # A copy of it at once: other lanes note what their nodes' partners say meanwhile.
        known = list(self.known.items())
        found = sum(told.copy in read for (of, on, _), told in known if (of, on) == (node, partner))
        return min(found, MOST_OBJECTS)

    def _within(self, assignment: Assignment) -> timedelta | None:
        left = self.time_left(assignment)
        return min(left, LONGEST) if left >= LEAST else None
