"""Where a good copy of a damaged object is: the node's partners are asked for the same SOP instance.

They only look, at a few objects a night, and whoever cannot be asked is told as that: it costs no step its ending.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import structlog

from maintainer.archives.register import product
from maintainer.errors import CouldNotLook
from maintainer.model.inventory import Inventory
from maintainer.model.plan import Finding
from maintainer.model.task import Assignment, Observation, StoreCopies, StoreInstances
from maintainer.planning.copies import Copy, with_copies, worth
from maintainer.running.ports import Look

LOG = structlog.get_logger(__name__)

MOST_OBJECTS = 20
"""So many are read of a partner's store in a run, for one node."""
MOST_BYTES = 1_000_000_000
LONGEST = timedelta(minutes=1)
LEAST = timedelta(seconds=10)
"""With less of the window left, nobody is asked."""


class _Sees(Protocol):
    """What is needed of a look at the damaged node."""

    def observe(self, observation: Observation) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Copies:
    """One run's questions for copies, each asked once. `time_left`: until the window of a task closes."""

    inventory: Inventory
    look: Look
    time_left: Callable[[Assignment], timedelta]
    known: dict[tuple[str, str, int], Copy] = field(default_factory=dict)
    """By node, partner and the object's key in the node's index."""

    def added_to(self, findings: tuple[Finding, ...], assignment: Assignment, observer: _Sees) -> tuple[Finding, ...]:
        """Say in each finding about a damaged object what the partners have of it, unless a person knows it already."""
        names = self.inventory.partners(assignment.node) if self._has_index(assignment.node) else ()
        partners = [name for name in names if self._has_index(name)]
        keys = [one.indexed_as for one in findings if one.indexed_as is not None and one.acknowledged is None]
        if not partners or not keys:
            return findings
        new = [key for key in keys if (assignment.node, partners[0], key) not in self.known]
        if new:
            self._ask(new, partners, assignment, observer)
        return tuple(self._told(one, assignment.node, partners) for one in findings)

    def _has_index(self, name: str) -> bool:
        """Whether there is one to be asked; in a plain tree of files nobody knows where an instance is."""
        node = self.inventory.nodes[name]
        return node.store is not None and node.database is not None and product(node.store.archive).has_index

    def _told(self, finding: Finding, node: str, partners: Sequence[str]) -> Finding:
        if finding.indexed_as is None or finding.acknowledged is not None:
            return finding
        found = {name: self.known.get((node, name, finding.indexed_as)) for name in partners}
        return with_copies(finding, {name: copy for name, copy in found.items() if copy is not None})

    def _ask(self, keys: list[int], partners: Sequence[str], assignment: Assignment, observer: _Sees) -> None:
        """Ask the node which instances these are, and each partner for those; what its index lost since is left out."""
        self.known.update({(assignment.node, name, key): "not-asked" for name in partners for key in keys})
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
            self._ask_partner(name, indexed, assignment)

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
            self.known[assignment.node, name, key] = worth(one, found.get(one["uid"]))

    def _read_of(self, node: str, partner: str) -> int:
        read = {"good", "sound", "unproven", "damaged"}
        # A copy of it at once: other lanes note what their nodes' partners say meanwhile.
        known = list(self.known.items())
        found = sum(copy in read for (of, on, _), copy in known if (of, on) == (node, partner))
        return min(found, MOST_OBJECTS)

    def _within(self, assignment: Assignment) -> timedelta | None:
        left = self.time_left(assignment)
        return min(left, LONGEST) if left >= LEAST else None
