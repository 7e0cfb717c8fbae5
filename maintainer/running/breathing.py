"""Letting the clinic breathe: pauses between steps while its statements take longer than they use to."""

from collections.abc import Sequence

from maintainer.model.finding import Finding, Severity
from maintainer.model.outcome import Done
from maintainer.running.report import StepReport

PAUSES = (60.0, 120.0, 240.0)
"""Seconds for which the clinic is left alone: longer each time that it is found as slow as before."""


class Breathing:
    """How long to pause before the next step of a task, and what to tell of it, once."""

    def __init__(self) -> None:
        self._pauses = 0
        self._told = False

    def pause_after(self, reports: Sequence[StepReport]) -> float:
        """Answer seconds; none where the clinic was as fast as ever while these ran, or nobody knows."""
        if not any(map(_slower_times, reports)):
            self._pauses = 0
            return 0.0
        self._pauses += 1
        return PAUSES[min(self._pauses, len(PAUSES)) - 1]

    def found(self, node: str, reports: Sequence[StepReport]) -> list[Finding]:
        slower = next(((one, times) for one in reports if (times := _slower_times(one))), None)
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


def _slower_times(report: StepReport) -> float:
    measured = report.ending.measured.get("clinic_slower_times") if isinstance(report.ending, Done) else None
    return float(measured) if isinstance(measured, int | float) else 0.0
