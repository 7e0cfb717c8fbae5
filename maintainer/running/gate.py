"""The gate that every step passes: window, time left, clocks, partners, and whether a person asked to stop."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

from maintainer.intervention_log.log import InterventionLog
from maintainer.model.action import ProveService, Reboot, RestartServices
from maintainer.model.inventory import Inventory
from maintainer.model.outcome import NotRun, Reason
from maintainer.model.plan import Refuse, Risk, Step
from maintainer.model.task import Assignment
from maintainer.model.window import Occurrence
from maintainer.planning.admission import ClockWatch, PartnerProof, admit, partner_guard
from maintainer.planning.forecast import predicted
from maintainer.running.caution import caution
from maintainer.running.observe import Clock
from maintainer.running.partners import proofs
from maintainer.running.ports import Look
from maintainer.running.stop import Stop


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Asked before the first step of each subject. `open_windows` are those in which this run may work."""

    inventory: Inventory
    log: InterventionLog
    look: Look
    clock: Clock
    stop: Stop
    open_windows: Mapping[str, Occurrence]
    started_wall: datetime
    controller: str
    """The id by which nodes know who holds them."""
    started_mono: float = field(default_factory=time.monotonic)
    log_failed: Event = field(default_factory=Event)
    node_ahead: dict[str, timedelta] = field(default_factory=dict)
    """How far each node's clock is ahead of ours, as far as it was asked."""
    machine: dict[str, str | None] = field(default_factory=dict)
    """Which machine each node is, as far as it told."""
    proven: dict[str, frozenset[str]] = field(default_factory=dict)
    """Which partners served when a node was last let go down."""

    def admit(self, assignment: Assignment, steps: tuple[Step, ...]) -> NotRun | None:
        if self.stop.asked:
            return NotRun(reason=Reason.INTERRUPTED, detail="a person stopped the run")
        if self.log_failed.is_set():
            return NotRun(reason=Reason.LOG_NOT_WRITABLE, detail="the intervention log failed on another node's record")
        outage = any(step.risk is Risk.OUTAGE for step in steps)
        if (person := self._person_at_work(assignment.node, outage=outage)) is not None:
            return NotRun(reason=Reason.PERSON_AT_WORK, detail=person.because)
        partners = self._proofs(assignment.node) if outage else ()
        self.proven[assignment.node] = frozenset(one.node for one in partners if one.serves)
        return admit(
            *steps,
            now=self.clock(),
            occurrence=self.open_windows.get(assignment.params.window),
            predicted=self._predicted(assignment, steps),
            clock=self._watch(assignment.node),
            partners=self.inventory.partners(assignment.node),
            proofs=partners,
        )

    def still_admits(self, node: str) -> NotRun | None:
        """Ask once more before an outage that waited for something: minutes may have passed since `admit`."""
        if self.stop.asked:
            return NotRun(reason=Reason.INTERRUPTED, detail="a person stopped the run")
        if (person := self._person_at_work(node, outage=True)) is not None:
            return NotRun(reason=Reason.PERSON_AT_WORK, detail=person.because)
        partners = self._proofs(node)
        self.proven[node] = frozenset(one.node for one in partners if one.serves)
        return partner_guard(self.inventory.partners(node), partners)

    def lost_partners(self, node: str) -> tuple[PartnerProof, ...]:
        """Find the partners that served before this node was taken down, and do not now."""
        before = self.proven.get(node, frozenset())
        now = proofs(node, self.inventory, self.look) if before else ()
        return tuple(one for one in now if one.node in before and not one.serves)

    def time_for(self, assignment: Assignment, step: Step) -> timedelta:
        """A step's timeout, cut at the end of the window; what restarts a service is never cut short."""
        occurrence = self.open_windows.get(assignment.params.window)
        if occurrence is None or isinstance(step.action, RestartServices | Reboot | ProveService):
            return step.timeout
        return max(timedelta(seconds=1), min(step.timeout, occurrence.closes - self.clock()))

    def is_open_in(self, assignment: Assignment, later: timedelta) -> bool:
        """Tell whether the task's window will be open then."""
        occurrence = self.open_windows.get(assignment.params.window)
        return occurrence is not None and occurrence.is_open(self.clock() + later)

    def time_left(self, assignment: Assignment) -> timedelta:
        """Until the window of a task closes; none once somebody has stopped the run."""
        occurrence = self.open_windows.get(assignment.params.window)
        if occurrence is None or self.stop.asked:
            return timedelta(0)
        return max(timedelta(0), occurrence.closes - self.clock())

    def _proofs(self, node: str) -> tuple[PartnerProof, ...]:
        return proofs(node, self.inventory, self.look, self.controller, self.machine.get(node))

    def _person_at_work(self, node: str, *, outage: bool) -> Refuse | None:
        """Notice also who has begun to work since this run started."""
        found = caution(node, self.log.people_at_work(), self.inventory, self.clock())
        return found.alone or (found.in_service if outage else None)

    def _predicted(self, assignment: Assignment, steps: tuple[Step, ...]) -> timedelta:
        history = self.log.durations(assignment.node, assignment.task, steps[0].subject)
        return sum((predicted(step, history) for step in steps), timedelta())

    def _watch(self, node: str) -> ClockWatch:
        return ClockWatch(
            started_wall=self.started_wall,
            started_mono=self.started_mono,
            now_wall=self.clock(),
            now_mono=time.monotonic(),
            node_ahead=self.node_ahead.get(node),
        )
