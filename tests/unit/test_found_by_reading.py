"""What a step that only reads brought to light is told the same night, also where the look after it refuses."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.model.outcome import Done, Unknown
from maintainer.model.plan import Answer, Finding, Nothing, ProveService, Refuse, Risk, Severity, Step
from maintainer.running.execute import Executor

MINUTE = timedelta(minutes=1)
FINDING = Finding(severity=Severity.CRITICAL, cause="store-lost", subject="store", advice="touch nothing")
STEP = Step(
    subject="store", title="read", reason="", action=ProveService(within=MINUTE), risk=Risk.READS, timeout=MINUTE
)


class TellsOne:
    """A run whose looks all answer the same."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.eyes = self.recorder = self

    def look(self, *_: Any) -> Answer:
        return self._answer

    def measured(self, *_: Any) -> None:
        """What this test is not about."""

    def pause(self, _seconds: float) -> None:
        """No time passes here."""


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (Nothing(because="all read", findings=(FINDING,)), Done),
        (Refuse(because="the store is not mounted", hint="", findings=(FINDING,)), Unknown),
    ],
)
def test_what_was_found_is_told(answer: Answer, ending: type) -> None:
    """A store that went away while it was read is a critical finding of this night, not of the next one."""
    crew: Any = TellsOne(answer)
    executor = Executor(SimpleNamespace(), SimpleNamespace(), SimpleNamespace(), crew, SimpleNamespace())  # type: ignore[arg-type]  # (not asked here)
    assert isinstance(executor._second_look(STEP, Done()), ending)
    assert executor.found_by_reading == [FINDING]
