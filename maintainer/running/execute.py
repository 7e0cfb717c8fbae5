"""Performing what is due on one node, one step at a time, and looking again before calling it done."""

import secrets
import time
from collections.abc import Sequence
from functools import partial
from itertools import groupby

from pydantic import JsonValue, TypeAdapter

from maintainer.errors import ActionFailed, CouldNotLook, GaveWay, LinkLost, LogError, NodeHeld, StillInUse
from maintainer.model.action import Reboot, VerifyStore
from maintainer.model.finding import Finding, Measurement
from maintainer.model.outcome import Done, Ending, Failed, NotRun, Reason, Unknown
from maintainer.model.plan import Answer, Refuse, Risk, Step, Steps, Unseen
from maintainer.model.progress import Progress
from maintainer.model.task import Assignment
from maintainer.planning.replan import replan
from maintainer.planning.starting import only_starts
from maintainer.running.boot import Boot
from maintainer.running.breathing import Breathing
from maintainer.running.crew import Crew
from maintainer.running.endings import Grave, expected_of, gave_way, is_grave, may_be_down, seen_of, still_due, without
from maintainer.running.events import StepEnded, StepProgress, StepStarted
from maintainer.running.partners import partner_lost
from maintainer.running.ports import Actor, Observer
from maintainer.running.report import StepReport

SETTLING = (0.0, 1.0, 3.0)
"""Seconds before each second look: PostgreSQL publishes its statistics with a short delay."""
GOING_DOWN = (0.0, 1.0, 3.0, 10.0)
"""Seconds before each look for what a restart left stopped: what goes down may take that long."""

_MEASUREMENTS = TypeAdapter(tuple[Measurement, ...])
AGAIN_AFTER = (15.0, 60.0, 240.0)
"""Seconds after which what gave way to the clinic is tried once more."""


class Executor:
    """Works through the steps of one task on one node. It is the only one that holds an actor."""

    def __init__(
        self, assignment: Assignment, observer: Observer, actor: Actor, crew: Crew, boot: Boot, *, breathing: Breathing
    ) -> None:
        self.assignment = assignment
        self.reports: list[StepReport] = []
        self.findings: list[Finding] = []
        self.found_by_reading: list[Finding] = []
        """What the looks after reading steps found, which the task's first look may have found already."""
        self._observer, self._actor, self._crew, self._boot = observer, actor, crew, boot
        self._breathing = breathing
        self._log_error: LogError | None = None
        self._gave_way: list[tuple[Step, ...]] = []

    def perform(self, steps: tuple[Step, ...]) -> Grave | None:
        """Perform the steps; answers after what this node must be left alone, if there was anything.

        A subject is begun only when all of its steps fit the window, and once begun it is finished: whatever the
        clock, a person or a full log says, what was restarted is proven.

        What gave way to the clinic is tried again after the others, later and later.

        Raises:
            LogError: a record could not be written; the subject that had begun was finished first.
        """
        self._see_that_all_is_on_record()
        subjects = [tuple(group) for _, group in groupby(steps, key=lambda step: step.subject)]
        grave = self._perform_all(subjects)
        for seconds in AGAIN_AFTER if grave is None else ():
            grave = self._perform_all(self._to_be_tried_again(seconds))
            if grave is not None or not self._gave_way:
                break
        if grave is None:
            self._see_that_all_is_on_record()
        return grave

    def _perform_all(self, subjects: Sequence[tuple[Step, ...]]) -> Grave | None:
        self._gave_way = []
        for position, subject in enumerate(subjects):
            self._let_breathe(subject)
            begun = len(self.reports)
            ending = self._perform_subject(subject)
            if is_grave(subject, ending):
                ending = self._bring_back(subject, ending) or ending
            self._watch_partners(subject, ending)
            if gave_way(ending):
                self._gave_way.append(subject)
            self._see_that_all_is_on_record()
            if is_grave(subject, ending):
                self.skip(tuple(step for rest in subjects[position + 1 :] for step in rest), Reason.EARLIER_STEP)
                return Grave(subject[0], ending, of_service=may_be_down(subject, ending))
            self.findings += self._breathing.found(self.assignment.node, self.reports[begun:])
        return None

    def _let_breathe(self, subject: tuple[Step, ...]) -> None:
        if seconds := self._breathing.pause_before(subject):
            self._crew.waited(self.assignment, seconds)

    def _to_be_tried_again(self, seconds: float) -> list[tuple[Step, ...]]:
        """Wait, look again, and answer which of those that gave way are due still, as they were."""
        waiting = self._gave_way
        if not waiting or not self._crew.waited(self.assignment, seconds):
            return []
        answer = self._crew.foretold(self.assignment, self._crew.eyes.look(self.assignment, self._observer))
        if isinstance(answer, Unseen | Refuse):
            return []
        again = tuple(step for subject in waiting for step in subject)
        # As it is due now: while the clinic works, the same statement takes less of the server.
        run = replan(again, answer.steps if isinstance(answer, Steps) else ()).run
        done = self._done_of(again)
        due = [tuple(group) for _, group in groupby(without(run, done), key=lambda step: step.subject)]
        subjects = {subject[0].subject for subject in due}
        self.skip(tuple(step for step in without(again, done) if step.subject not in subjects), Reason.NO_LONGER_DUE)
        return due

    def _done_of(self, again: tuple[Step, ...]) -> tuple[Step, ...]:
        """What of these was done before another one gave way stays done, and told; of the others the report is anew."""
        done = [one for one in self.reports if one.step in again and isinstance(one.ending, Done)]
        self.reports = [one for one in self.reports if one.step not in again or one in done]
        return tuple(one.step for one in done)

    def skip(self, steps: tuple[Step, ...], reason: Reason, detail: str = "") -> None:
        for step in steps:
            self._ended(step, NotRun(reason=reason, detail=detail))

    def _perform_subject(self, steps: tuple[Step, ...]) -> Ending:
        refused = self._crew.gate.admit(self.assignment, steps)
        if refused is not None:
            self.skip(steps, refused.reason, refused.detail)
            return refused
        # Without a durable intent nothing begins; after the first one, a log that fails no longer stops us half-way.
        first_id = self._crew.recorder.intent(self.assignment, steps[0])
        return self._perform_steps(steps, first_id)

    def _perform_steps(self, steps: tuple[Step, ...], first_id: str = "") -> Ending:
        ending: Ending = Done()
        for position, step in enumerate(steps):
            refused = self._no_longer_admitted(steps[:position], step)
            if refused is not None:
                self.skip(steps[position:], refused.reason, refused.detail)
                return refused
            step_id = first_id if first_id and position == 0 else self._intent_if_possible(step)
            ending = self._perform_step(step, step_id, last=position == len(steps) - 1)
            if not isinstance(ending, Done):
                self.skip(steps[position + 1 :], Reason.EARLIER_STEP)
                break
        return ending

    def _no_longer_admitted(self, before: tuple[Step, ...], step: Step) -> NotRun | None:
        """Before an outage that something was waited for, ask again."""
        if not before or step.risk is not Risk.OUTAGE:
            return None
        return self._crew.gate.still_admits(self.assignment.node)

    def _perform_step(self, step: Step, step_id: str, *, last: bool) -> Ending:
        ending: Ending = Unknown(last_seen="the run broke off in the middle of it")
        try:
            self._crew.report(StepStarted(self.assignment.node, self.assignment.task, step))
            ending = self._act(step, step_id)
            if last and isinstance(ending, Done):
                ending = self._second_look(step, ending)
            elif isinstance(step.action, VerifyStore) and isinstance(ending, Failed):
                # It may have closed the ledger first, whose root is then not yet on record.
                self._keep(step, self._crew.eyes.look(self.assignment, self._observer))
        finally:
            self._ended(step, ending, step_id)
        return ending

    def _act(self, step: Step, step_id: str) -> Ending:
        started = time.monotonic()
        # Where the log gave no id, the node needs one all the same.
        name = step_id or f"step-{secrets.token_hex(8)}"
        try:
            time_for_it = self._crew.gate.time_for(self.assignment, step)
            measured = self._actor.perform(step.action, time_for_it, name, partial(self._tell, step))
        except NodeHeld as error:
            return NotRun(reason=Reason.NODE_HELD, detail=error.told_of(self.assignment.node))
        except StillInUse as error:
            return NotRun(reason=Reason.STILL_IN_USE, detail=error.told_of(self.assignment.node))
        except GaveWay as error:
            self._put_on_record(error.measurements)
            return NotRun(reason=Reason.GAVE_WAY, detail=error.told_of(self.assignment.node))
        except LinkLost as error:
            self._put_on_record(error.measurements)
            return self._unknown(error.told_of(self.assignment.node))
        except (ActionFailed, CouldNotLook) as error:
            self._put_on_record(error.measurements)
            return Failed(error=error.told_of(self.assignment.node))
        if isinstance(step.action, Reboot):
            self._boot.met(measured.get("boot_id"))
        self._put_on_record(measured.pop("measurements", []))
        return Done(measured={**expected_of(step), **measured, "seconds": round(time.monotonic() - started, 3)})

    def _put_on_record(self, measurements: JsonValue) -> None:
        """What an action found is asked of the record by the look that comes after it."""
        self._record(_MEASUREMENTS.validate_python(measurements))

    def _record(self, measured: Sequence[Measurement]) -> None:
        try:
            self._crew.recorder.measured(self.assignment, measured)
        except LogError as error:
            self._log_error = self._log_error or error

    def _tell(self, step: Step, progress: Progress) -> None:
        self._crew.report(StepProgress(self.assignment.node, self.assignment.task, step, progress))

    def _unknown(self, seen: str) -> Unknown:
        rebooted = self._boot.has_changed(self._observer, self._crew.pause, lambda: self._crew.gate.stop.asked)
        return Unknown(last_seen=f"interrupted by a reboot of the node: {seen}" if rebooted else seen)

    def _second_look(self, step: Step, done: Done) -> Ending:
        """A step whose subject is still due has failed, whatever its exit code said."""
        reason = ""
        for seconds in SETTLING:
            self._crew.pause(seconds)
            answer = self._crew.eyes.look(self.assignment, self._observer)
            if isinstance(answer, Unseen) or (isinstance(answer, Refuse) and answer.due is None):
                self._keep(step, answer)
                return Unknown(last_seen=f"it was done, but looking again did not tell: {answer.because}")
            reason = still_due(step, answer)
            if not reason:
                self._keep(step, answer)
                return Done(measured={**seen_of(step, answer), **done.measured})
        return Failed(error=f"still due after it was done: {reason}")

    def _keep(self, step: Step, answer: Answer) -> None:
        """A step that only reads is a look itself: what it brought to light is told and kept tonight."""
        if step.risk is Risk.READS:
            self._note(answer)

    def keep(self, answer: Answer) -> None:
        """Keep what a look has found, once, and put on record what it measured.

        Raises:
            LogError: it could not be written.
        """
        self._note(answer)
        self._see_that_all_is_on_record()

    def _note(self, answer: Answer) -> None:
        self.found_by_reading += [one for one in answer.findings if one not in self.found_by_reading]
        self._record(answer.measured)

    def _bring_back(self, subject: tuple[Step, ...], ending: Ending) -> Ending | None:
        """The node starts what it stopped; where it could not, as when all of it was killed, look and start it now."""
        for seconds in GOING_DOWN if may_be_down(subject, ending) else ():
            self._crew.pause(seconds)
            answer = self._crew.eyes.look(self.assignment, self._observer)
            if isinstance(answer, Unseen):
                return None
            due = answer.steps if isinstance(answer, Steps) else ()
            if again := only_starts(tuple(step for step in due if step.subject == subject[0].subject)):
                brought = self._perform_steps(again)
                return brought if isinstance(brought, Done) else None
        return None

    def _watch_partners(self, subject: tuple[Step, ...], ending: Ending) -> None:
        """After an outage, see that whoever served in this node's place still does."""
        if isinstance(ending, NotRun) or all(step.risk is not Risk.OUTAGE for step in subject):
            return
        for lost in self._crew.gate.lost_partners(self.assignment.node):
            self.findings.append(partner_lost(self.assignment.node, lost))

    def _see_that_all_is_on_record(self) -> None:
        if self._log_error is not None:
            raise self._log_error

    def _intent_if_possible(self, step: Step) -> str:
        try:
            return self._crew.recorder.intent(self.assignment, step)
        except LogError as error:
            self._log_error = self._log_error or error
            return ""

    def _ended(self, step: Step, ending: Ending, step_id: str = "") -> None:
        self.reports.append(StepReport(step=step, ending=ending))
        try:
            self._crew.recorder.outcome(self.assignment, step, ending, step_id)
        except LogError as error:
            self._log_error = self._log_error or error
        self._crew.report(StepEnded(self.assignment.node, self.assignment.task, step, ending))
