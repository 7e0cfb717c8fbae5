"""Where a good copy of a damaged object is: the node's partners are asked for the same SOP instance.

They only look, at a few objects a night, and whoever cannot be asked is told as that: it costs no step its ending.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from maintainer.errors import CouldNotLook
from maintainer.model.finding import Finding
from maintainer.model.task import Assignment, StoreCopies, StoreInstances
from maintainer.planning.copies import ANSWERS, Copy, Told, worth
from maintainer.running.ports import Look
from maintainer.running.recalled_copies import RecalledCopies, Sees

LOG = structlog.get_logger(__name__)

MOST_OBJECTS = 20
"""So many are read of a partner's store in a run, for one node; those first whose answer is the oldest."""
SOON = timedelta(minutes=1)
LEAST = timedelta(seconds=10)
"""With less of the window left, nobody is asked."""
SHARE, LONGEST = 10, timedelta(minutes=15)
"""Where copies are large, a partner may take longer: up to a tenth of what is left of the window, and no more."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Copies(RecalledCopies):
    """One run's questions for copies, each asked once. `time_left`: until the window of a task closes.

    What was answered on earlier nights is told of those that are not asked about in this one.
    """

    look: Look
    time_left: Callable[[Assignment], timedelta]
    known: dict[tuple[str, str, int], Told] = field(default_factory=dict)
    """By node, partner and the object's key in the node's index."""

    def added_to(self, findings: tuple[Finding, ...], assignment: Assignment, observer: Sees) -> tuple[Finding, ...]:
        """Say in each finding about a damaged object what the partners have, who are asked for what nobody knows of."""
        partners = self.partners(findings, assignment)
        if not partners:
            return findings
        recalled = self.recalled(findings, partners, assignment)
        keys = [one.indexed_as for one in findings if one.indexed_as is not None and one.acknowledged is None]
        new = [key for key in keys if (assignment.node, partners[0], key) not in self.known]
        if new:
            self._ask(new, partners, assignment, observer, recalled)
        answers = recalled | self._answered(assignment.node, recalled)
        return tuple(self._with(one, partners, answers) for one in findings)

    def _answered(self, node: str, recalled: Mapping[tuple[str, int], Told]) -> dict[tuple[str, int], Told]:
        """What was said in this run; that nothing was, only where nothing is known from before."""
        # A copy of it at once: other lanes note what their nodes' partners say meanwhile.
        known = [((on, key), told) for (of, on, key), told in list(self.known.items()) if of == node]
        return {one: told for one, told in known if told.copy in ANSWERS or one not in recalled}

    def _ask(
        self,
        keys: list[int],
        partners: Sequence[str],
        assignment: Assignment,
        observer: Sees,
        recalled: Mapping[tuple[str, int], Told],
    ) -> None:
        """Ask the node which instances these are, and each partner for those; what its index lost since is left out."""
        for name in partners:
            for key in keys:
                self._note(assignment.node, name, key, "not-asked")
        left = self._left(assignment)
        if left is None:
            return
        try:
            listed: Any = observer.observe(StoreInstances(keys=tuple(keys), within=min(left, SOON)))
        except CouldNotLook as error:
            LOG.warning("no partner was asked for copies", node=assignment.node, error=error.what)
            return
        indexed = {key: listed[str(key)] for key in keys if str(key) in listed}
        for name in partners:
            last = {key: recalled[name, key].at if (name, key) in recalled else _NEVER for key in indexed}
            oldest = sorted(indexed, key=last.__getitem__)
            self._ask_partner(name, {key: indexed[key] for key in oldest}, assignment)

    def _ask_partner(self, name: str, indexed: dict[int, Any], assignment: Assignment) -> None:
        left = self._left(assignment)
        if left is None or not indexed:
            return
        asked = StoreCopies(
            uids=tuple(one["uid"] for one in indexed.values()),
            most_objects=MOST_OBJECTS - self._read_of(assignment.node, name),
            soon=min(left, SOON),
            within=max(min(left, SOON), min(left / SHARE, LONGEST)),
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
        known = list(self.known.items())
        found = sum(told.copy in read for (of, on, _), told in known if (of, on) == (node, partner))
        return min(found, MOST_OBJECTS)

    def _left(self, assignment: Assignment) -> timedelta | None:
        left = self.time_left(assignment)
        return left if left >= LEAST else None
