"""Everything that one run does on one node: settle what was left open, then task after task, one step at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from maintainer.errors import ActionFailed, CouldNotLook, LogError, MaintainerError
from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.record import Kind
from maintainer.model.finding import Finding
from maintainer.model.outcome import Failed, Reason
from maintainer.model.plan import Answer, Refuse, Step, Unseen
from maintainer.model.task import Assignment
from maintainer.planning.planner import resting
from maintainer.planning.replan import replan
from maintainer.running.boot import Boot
from maintainer.running.breathing import Breathing
from maintainer.running.caution import Caution, group_frozen, refusals
from maintainer.running.checkup import meet
from maintainer.running.crew import Crew
from maintainer.running.endings import Grave
from maintainer.running.events import TaskDecided, TaskStarted
from maintainer.running.execute import Executor
from maintainer.running.follow_up import follow_up
from maintainer.running.observe import broken_off
from maintainer.running.partners import proof
from maintainer.running.ports import Actor, Observer
from maintainer.running.reconcile import judge, record_all, unsettled
from maintainer.running.report import Settled, StepReport, TaskReport

LOG = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class NodeWork:
    """One node in one run. `left_alone` says, once it is set, why nothing more is done there tonight."""

    crew: Crew
    group: Sequence[Assignment]
    caution: Caution
    tasks: list[TaskReport] = field(default_factory=list)
    settled: tuple[Settled, ...] = ()
    left_alone: Refuse | None = None
    boot: Boot = field(default_factory=Boot)
    breathing: Breathing = field(default_factory=Breathing)

    def run(self) -> None:
        """Work through the node's tasks; trouble here is reported here and never stops another node.

        Raises:
            LogError: the intervention log cannot be written.
        """
        if self.caution.alone is not None:
            self.leave_alone(self.caution.alone)
            return
        try:
            with self.crew.work(self.group[0].node) as (observer, actor):
                self._compare_clocks(observer)
                self._reconcile(observer)
                for assignment in self.group:
                    self._task(assignment, observer, actor)
        except LogError:
            raise
        except (ActionFailed, CouldNotLook) as error:
            self._without_hold(error)
        except Exception as error:
            # A mistake of ours: said, recorded where a step was under way, and kept away from the other nodes.
            LOG.exception("internal error", node=self.group[0].node)
            answer = broken_off(error)
            self.left_alone = Refuse(because=answer.because, hint=answer.hint)
            for assignment in self.group[len(self.tasks) :]:
                self._reported(assignment, answer)

    def _without_hold(self, error: MaintainerError) -> None:
        """The node's lease could not be taken: nothing is done there, and nothing that was left open is settled."""
        because, hint = error.said_of(self.group[0].node), error.hint
        if self.caution.intents:
            self.left_alone = Refuse(because=because, hint=hint)
        answer = (Unseen if isinstance(error, CouldNotLook) else Refuse)(because=because, hint=hint)
        for assignment in self.group[len(self.tasks) :]:
            self._reported(assignment, answer)

    def leave_alone(self, because: Refuse) -> None:
        """Report every task as refused, without a look."""
        for assignment, answer in zip(self.group, refusals(because, len(self.group)), strict=True):
            self._reported(assignment, answer)

    def _compare_clocks(self, observer: Observer) -> None:
        """Windows are kept by our clock: a node that disagrees about the time may not be where we think it is."""
        try:
            met = meet(observer, self.crew.eyes.clock)
        except CouldNotLook:
            return  # the tasks' own looks say why, each in its report
        self.crew.gate.node_ahead[self.group[0].node] = met.clock_ahead
        self.crew.gate.machine[self.group[0].node] = met.machine
        self.boot.met(met.boot_id)

    def _reconcile(self, observer: Observer) -> None:
        judged = judge(self.caution.intents, self.crew.known, self.crew.eyes, observer)
        self.settled = record_all(judged, self.crew.recorder)
        self.left_alone = unsettled(judged)

    def _task(self, assignment: Assignment, observer: Observer, actor: Actor) -> None:
        if self.left_alone is not None:
            self._reported(assignment, self.left_alone)
            return
        self.crew.report(TaskStarted(assignment.node, assignment.task))
        rest = resting(assignment.params, self._last_look(assignment), self.crew.eyes.clock())
        if rest is not None and assignment.asked_at is None:
            # Not recorded: a rest is not a look, and would put the next one off for ever.
            self.crew.report(TaskDecided(assignment.node, assignment.task, rest))
            self.tasks.append(_task_report(assignment, rest))
            return
        seen = self.caution.restrain(self.crew.eyes.look(assignment, observer))
        answer = self.crew.foretold(assignment, seen)
        executor = Executor(assignment, observer, actor, self.crew, self.boot, breathing=self.breathing)
        self._announce(assignment, answer)
        found: tuple[Finding, ...] = ()
        told = answer
        try:
            grave = executor.perform(self._approved_steps(assignment, answer, executor))
            grave = grave or follow_up(assignment, observer, executor, self.crew, self.caution)
            found = (*executor.findings, *_new(executor.found_by_reading, answer))
            found += self._after(assignment, grave) if grave else ()
            for finding in found:
                self.crew.recorder.finding(assignment, finding)
        except Exception as error:
            # Steps that were due and have no ending must not look like work that was done.
            told = broken_off(error)
            raise
        finally:
            told = told.model_copy(update={"findings": (*answer.findings, *found)})
            self.tasks.append(_task_report(assignment, told, tuple(executor.reports)))

    def _after(self, assignment: Assignment, grave: Grave) -> tuple[Finding, ...]:
        """Leave the node alone for tonight; when it may be down, its group too, until a person says otherwise."""
        node, ending = assignment.node, grave.ending.ending
        self.left_alone = Refuse(
            because=f"{assignment.task} ended as {ending} on this node",
            hint=f"see `maintainer log list --node {node}`, and look at the node before the next run",
        )
        group = self.crew.eyes.inventory.group_of(node)
        if group is None or not grave.of_service or self._serves_all_the_same(grave):
            return ()
        why = f"{assignment.task} of {grave.step.subject} ended as {ending} on {node}, which is not known to serve"
        self.crew.recorder.frozen(group[0], assignment, why)
        return (group_frozen(group[0], node, why),)

    def _serves_all_the_same(self, grave: Grave) -> bool:
        """Ask again after a definite failure; after a lost link a stop may still be under way, so no answer counts."""
        node, inventory = self.group[0].node, self.crew.eyes.inventory
        return isinstance(grave.ending, Failed) and proof(node, inventory.nodes[node], self.crew.gate.look).serves

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


def _new(found: Sequence[Finding], answer: Answer) -> tuple[Finding, ...]:
    """Leave out what the first look told; what it told as known and is not what was known alarms."""
    told = {(one.cause, one.subject, one.acknowledged is None) for one in answer.findings}
    return tuple(one for one in found if (one.cause, one.subject, one.acknowledged is None) not in told)


def _task_report(assignment: Assignment, answer: Answer, steps: tuple[StepReport, ...] = ()) -> TaskReport:
    window = assignment.params.window
    return TaskReport(node=assignment.node, task=assignment.task, window=window, answer=answer, steps=steps)
