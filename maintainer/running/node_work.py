"""Everything that one run does on one node: settle what was left open, then task after task, one step at a time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from maintainer.errors import CouldNotLook, LogError
from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.record import Kind, Record
from maintainer.model.outcome import Reason
from maintainer.model.plan import Answer, Plan, Refuse, Step
from maintainer.model.task import Assignment
from maintainer.planning.planner import resting
from maintainer.planning.replan import replan
from maintainer.running.checkup import clock_ahead
from maintainer.running.dry_run import broken_off
from maintainer.running.events import Reporter, TaskDecided, TaskStarted
from maintainer.running.execute import Executor
from maintainer.running.gate import Gate
from maintainer.running.observe import Eyes
from maintainer.running.ports import Actor, Observer, Work
from maintainer.running.reconcile import reconcile
from maintainer.running.recorder import Recorder
from maintainer.running.report import Settled, StepReport, TaskReport

LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Crew:
    """What every node's work in one run shares."""

    eyes: Eyes
    gate: Gate
    work: Work
    recorder: Recorder
    report: Reporter
    known: Sequence[Assignment]
    """Every assignment of the inventory, also those that this run leaves out: what was left open may be of any."""
    pause: Callable[[float], None] = time.sleep
    approved: Plan | None = None


@dataclass(kw_only=True)
class NodeWork:
    """One node in one run. `left_alone` says, once it is set, why nothing more is done there tonight."""

    crew: Crew
    group: Sequence[Assignment]
    open_intents: Sequence[Record]
    tasks: list[TaskReport] = field(default_factory=list)
    settled: tuple[Settled, ...] = ()
    left_alone: Refuse | None = None

    def run(self) -> None:
        """Work through the node's tasks; trouble here is reported here and never stops another node.

        Raises:
            LogError: the intervention log cannot be written.
        """
        try:
            with self.crew.work(self.group[0].node) as (observer, actor):
                self._compare_clocks(observer)
                self._reconcile(observer)
                for assignment in self.group:
                    self._task(assignment, observer, actor)
        except LogError:
            raise
        except Exception as error:
            # A mistake of ours: said, recorded where a step was under way, and kept away from the other nodes.
            LOG.exception("internal error", node=self.group[0].node)
            answer = broken_off(error)
            self.left_alone = Refuse(because=answer.because, hint=answer.hint)
            for assignment in self.group[len(self.tasks) :]:
                self._reported(assignment, answer)

    def leave_alone(self, because: Refuse) -> None:
        """Report every task as refused, without a look."""
        for assignment in self.group:
            self._reported(assignment, because)

    def _compare_clocks(self, observer: Observer) -> None:
        """Windows are kept by our clock: a node that disagrees about the time may not be where we think it is."""
        try:
            ahead = clock_ahead(observer, self.crew.eyes.clock)
        except CouldNotLook:
            return  # the tasks' own looks say why, each in its report
        self.crew.gate.node_ahead[self.group[0].node] = ahead

    def _reconcile(self, observer: Observer) -> None:
        here = [one for one in self.crew.known if one.node == self.group[0].node]
        self.settled = reconcile(self.open_intents, here, self.crew.eyes, observer, self.crew.recorder)
        open_still = [one for one in self.settled if one.ending == "unknown"]
        if open_still:
            self.left_alone = Refuse(
                because=f"how an earlier run left {open_still[0].subject} is not known, and looking again did not tell",
                hint="look at the node yourself; the next run tries again",
            )

    def _task(self, assignment: Assignment, observer: Observer, actor: Actor) -> None:
        if self.left_alone is not None:
            self._reported(assignment, self.left_alone)
            return
        self.crew.report(TaskStarted(assignment.node, assignment.task))
        rest = resting(assignment.params, self._last_look(assignment), self.crew.eyes.clock())
        if rest is not None:
            # Not recorded: a rest is not a look, and would put the next one off for ever.
            self.crew.report(TaskDecided(assignment.node, assignment.task, rest))
            self.tasks.append(_task_report(assignment, rest))
            return
        answer = self.crew.eyes.look(assignment, observer)
        executor = Executor(
            assignment,
            observer,
            actor,
            eyes=self.crew.eyes,
            gate=self.crew.gate,
            recorder=self.crew.recorder,
            report=self.crew.report,
            pause=self.crew.pause,
        )
        self._announce(assignment, answer)
        try:
            grave = executor.perform(self._approved_steps(assignment, answer, executor))
        finally:
            self.tasks.append(_task_report(assignment, answer, tuple(executor.reports)))
        if grave is not None:
            self.left_alone = Refuse(
                because=f"{assignment.task} ended as {grave.ending} on this node",
                hint=f"see `maintainer log list --node {assignment.node}`, and look at the node before the next run",
            )

    def _last_look(self, assignment: Assignment) -> datetime | None:
        """When an earlier run last looked here and was not refused."""
        if assignment.params.every is None:
            return None
        where = Filter(node=assignment.node, task=assignment.task, kind=Kind.DECIDED, limit=100)
        looks = (r.at for r in self.crew.recorder.log.records(where) if r.reason in {"steps", "nothing"})
        return max(looks, default=None)

    def _approved_steps(self, assignment: Assignment, answer: Answer, executor: Executor) -> tuple[Step, ...]:
        """With a plan file: what is both approved and still due; the others are recorded as not run."""
        due = answer.steps if answer.kind == "steps" else ()
        if self.crew.approved is None:
            return due
        approved = next(
            (e.steps for e in self.crew.approved.entries if (e.node, e.task) == (assignment.node, assignment.task)), ()
        )
        replanned = replan(approved, due)
        executor.skip(replanned.not_approved, Reason.NOT_APPROVED, "it became due after the plan was made")
        executor.skip(replanned.no_longer_due, Reason.NO_LONGER_DUE)
        return replanned.run

    def _announce(self, assignment: Assignment, answer: Answer) -> None:
        self.crew.report(TaskDecided(assignment.node, assignment.task, answer))
        self.crew.recorder.decided(assignment, answer)

    def _reported(self, assignment: Assignment, answer: Answer) -> None:
        self._announce(assignment, answer)
        self.tasks.append(_task_report(assignment, answer))


def _task_report(assignment: Assignment, answer: Answer, steps: tuple[StepReport, ...] = ()) -> TaskReport:
    window = assignment.params.window
    return TaskReport(node=assignment.node, task=assignment.task, window=window, answer=answer, steps=steps)
