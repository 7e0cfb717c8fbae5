"""What a run writes into the intervention log, and nothing else: the log's fields, filled from the engine's values."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record
from maintainer.model.finding import Finding, Measurement
from maintainer.model.outcome import Done, Ending, Failed, NotRun, Unknown
from maintainer.model.plan import Answer, Nothing, Refuse, Step, Steps, Unseen
from maintainer.model.task import Assignment
from maintainer.model.window import Occurrence

ASKED_FOR = "asked-for"
"""Reason of an intent that is due only because somebody asked; its text says when."""


def as_asked(assignment: Assignment, intent: Record) -> Assignment:
    """Look at an intent's subject as it was looked at then: what was asked for is due until it was done."""
    if intent.reason != ASKED_FOR:
        return assignment
    return assignment.model_copy(update={"asked_at": datetime.fromisoformat(intent.text)})


class Recorder:
    """One run's pen. Every method is durable when it returns.

    Raises:
        LogError: from any method, when the record is not known to be on the disk.
    """

    def __init__(self, log: InterventionLog, run: str, actor: str, plan: str) -> None:
        self.log, self.run = log, run
        self._always: dict[str, Any] = {"run": run, "actor": actor, "plan": plan}

    def opened(self, text: str) -> None:
        self._append(Kind.RUN_OPENED, text=text)

    def closed(self, text: str) -> None:
        self._append(Kind.RUN_CLOSED, text=text)
        self.log.checkpoint(self.run)

    def missed(self, occurrence: Occurrence) -> None:
        self._append(Kind.MISSED, window=occurrence.window, text=f"opened {occurrence.opens:%Y-%m-%dT%H:%MZ}, no run")

    def decided(self, assignment: Assignment, answer: Answer) -> None:
        where: dict[str, Any] = {"node": assignment.node, "task": assignment.task}
        because = "" if isinstance(answer, Steps) else answer.because
        self._append(Kind.DECIDED, **where, window=assignment.params.window, reason=answer.kind, text=because)
        for finding in answer.findings:
            self.finding(assignment, finding)
        self.measured(assignment, answer.measured)

    def measured(self, assignment: Assignment, measured: Sequence[Measurement]) -> None:
        where: dict[str, Any] = {"node": assignment.node, "task": assignment.task}
        for subject, kept in groupby(measured, key=lambda one: one.subject):
            self._append(Kind.MEASURED, **where, subject=subject, measured={one.name: one.value for one in kept})

    def finding(self, assignment: Assignment, finding: Finding) -> None:
        self._append(Kind.FINDING, node=assignment.node, task=assignment.task, subject=finding.subject, finding=finding)

    def frozen(self, group: str, assignment: Assignment, why: str) -> None:
        """From now on, every run leaves the members of the group alone until a person thaws it."""
        self._append(Kind.GROUP_FROZEN, node=assignment.node, task=assignment.task, subject=group, text=why)

    def intent(self, assignment: Assignment, step: Step) -> str:
        """Say what is about to be done, before it is; answers the step's id."""
        asked = {"reason": ASKED_FOR, "text": assignment.asked_at.isoformat()} if assignment.asked_at else {}
        record = self._append(
            Kind.INTENT,
            node=assignment.node,
            task=assignment.task,
            window=assignment.params.window,
            subject=step.subject,
            title=step.title,
            risk=step.risk,
            **asked,
        )
        return record.step

    def outcome(self, assignment: Assignment, step: Step, ending: Ending, step_id: str = "") -> None:
        self._append(
            Kind.OUTCOME,
            node=assignment.node,
            task=assignment.task,
            subject=step.subject,
            title=step.title,
            ending=ending.ending,
            step=step_id,
            **ending_fields(ending),
        )

    def reconciled(self, intent: Record, ending: str, text: str) -> None:
        same: dict[str, Any] = {
            "node": intent.node,
            "task": intent.task,
            "subject": intent.subject,
            "step": intent.step,
        }
        self._append(Kind.RECONCILED, **same, ending=ending, text=text)

    def _append(self, kind: Kind, **fields: Any) -> Record:
        return self.log.append(kind, **self._always, **fields)


def ending_fields(ending: Ending) -> dict[str, Any]:
    """Fit an ending into the log's fields."""
    match ending:
        case Done(measured=measured):
            return {"measured": measured}
        case Failed(error=error):
            return {"error": error}
        case Unknown(last_seen=seen):
            return {"error": seen}
        case NotRun(reason=reason, detail=detail):
            return {"reason": reason.value, "error": detail}


def summary(answer: Answer) -> str:
    """One line that says what was decided.

    >>> summary(Nothing(because="no table has dead rows"))
    'nothing to do: no table has dead rows'
    """
    match answer:
        case Steps(steps=steps):
            return f"{len(steps)} step{'s' * (len(steps) != 1)} due"
        case Nothing(because=because):
            return f"nothing to do: {because}"
        case Refuse(because=because):
            return f"refused: {because}"
        case Unseen(because=because):
            return f"could not look: {because}"
