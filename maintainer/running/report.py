"""What a run came to, for people, for `--json` and for the exit code."""

from datetime import datetime
from typing import Literal

from maintainer.errors import Exit
from maintainer.model.finding import Finding, Severity
from maintainer.model.outcome import Ending, Failed, NotRun, Reason, Unknown
from maintainer.model.plan import Answer, Plan, Refuse, Step, Unseen
from maintainer.model.values import Name, Value

REFUSING = {
    Reason.OUTSIDE_WINDOW,
    Reason.NO_TIME_LEFT,
    Reason.PARTNER_NOT_SERVING,
    Reason.STILL_IN_USE,
    Reason.GAVE_WAY,
    Reason.GROUP_STOPPED,
    Reason.NODE_HELD,
    Reason.PERSON_AT_WORK,
    Reason.UNRECONCILED,
    Reason.CLOCK_STEPPED,
}


class StepReport(Value):
    step: Step
    ending: Ending


class TaskReport(Value):
    """One task on one node: the decision, and how each step ended."""

    node: Name
    task: Name
    window: Name
    answer: Answer
    steps: tuple[StepReport, ...] = ()


class Settled(Value):
    """What an earlier run had left open, and what looking at it showed."""

    node: str
    task: str
    subject: str
    ending: Literal["done", "failed", "unknown"]


class RunReport(Value):
    format: Literal["maintainer.run/1"] = "maintainer.run/1"
    run: str
    opened_at: datetime
    closed_at: datetime
    settled: tuple[Settled, ...] = ()
    missed: tuple[str, ...] = ()
    tasks: tuple[TaskReport, ...]
    interrupted: bool = False

    @property
    def endings(self) -> tuple[Ending, ...]:
        return tuple(done.ending for task in self.tasks for done in task.steps)

    def exit(self) -> Exit:
        answers = [task.answer for task in self.tasks]
        refused = any(isinstance(ending, NotRun) and ending.reason in REFUSING for ending in self.endings)
        return _worst(
            answers,
            unknown=any(isinstance(ending, Unknown) for ending in self.endings)
            or any(one.ending == "unknown" for one in self.settled),
            failed=any(isinstance(ending, Failed) for ending in self.endings),
            refused=refused,
        ) or (Exit.INTERRUPTED if self.interrupted else Exit.FINE)


def exit_of_plan(plan: Plan) -> Exit:
    return _worst([entry.answer for entry in plan.entries])


def alarming(answers: list[Answer]) -> list[Finding]:
    """Findings that somebody should look at; information, and what somebody knows, do not change the exit code."""
    found = [finding for answer in answers for finding in answer.findings]
    return [one for one in found if one.severity is not Severity.INFO and one.acknowledged is None]


def _worst(answers: list[Answer], *, unknown: bool = False, failed: bool = False, refused: bool = False) -> Exit:
    if unknown or any(isinstance(answer, Unseen) for answer in answers):
        return Exit.UNKNOWN
    if failed or alarming(answers):
        return Exit.TROUBLE
    if refused or any(isinstance(answer, Refuse) for answer in answers):
        return Exit.REFUSED
    return Exit.FINE
