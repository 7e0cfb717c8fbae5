"""Letting the clinic breathe: pauses between steps while its statements take longer than they use to."""

from collections.abc import Sequence

from maintainer.model.action import CheckRelations, Sql
from maintainer.model.finding import Finding, Severity
from maintainer.model.outcome import Done
from maintainer.model.plan import Step
from maintainer.running.report import StepReport

PAUSES = (60.0, 120.0, 240.0)
"""Seconds for which the clinic is left alone: longer each time that it is found as slow as before."""


class Breathing:
    """What one run knows of how the clinic of one node fares: how long to pause, and what to tell of it, once."""

    def __init__(self) -> None:
        self._pauses = 0
        self._due = False
        self._told = False

    def pause_before(self, steps: Sequence[Step]) -> float:
        """Answer seconds, before steps in the database, of whatever task, when the clinic was slow after the last ones.

        None where it was as fast as ever while these ran, or nobody knows.
        """
        if not self._due or not any(map(_in_the_database, steps)):
            return 0.0
        self._due = False
        return PAUSES[min(self._pauses, len(PAUSES)) - 1]

    def found(self, node: str, reports: Sequence[StepReport]) -> list[Finding]:
        """Judge what was done: is a pause due, and is there something to tell?"""
        if not any(_in_the_database(one.step) for one in reports):
            return []
        slower = next(((one, times) for one in reports if (times := _slower_times(one))), None)
        self._due = slower is not None
        self._pauses = self._pauses + 1 if slower else 0
        if slower is None or self._told:
            return []
        self._told = True
        step, times = slower[0].step, slower[1]
        return [
            Finding(
                severity=Severity.WARNING,
                cause="clinic-slowed",
                subject=node,
                evidence={"times": times, "during": step.title},
                advice="its statements took so many times as long as they use to while this ran; the run pauses before"
                " the next step when that is so: give the task a quieter window, or the server a faster disk",
            )
        ]


def _in_the_database(step: Step) -> bool:
    return isinstance(step.action, Sql | CheckRelations)


def _slower_times(report: StepReport) -> float:
    measured = report.ending.measured.get("clinic_slower_times") if isinstance(report.ending, Done) else None
    return float(measured) if isinstance(measured, int | float) else 0.0
