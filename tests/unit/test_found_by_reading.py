"""What a step that only reads brought to light is told the same night, also where the look after it refuses."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.errors import CouldNotLook
from maintainer.model.action import ProveService, VerifyStore
from maintainer.model.finding import Finding, Measurement, Severity
from maintainer.model.outcome import Done, Unknown
from maintainer.model.plan import Answer, Nothing, Refuse, Risk, Step
from maintainer.running.breathing import Breathing
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
        self.eyes = self.recorder = self.gate = self
        self.kept: list[Any] = []

    def look(self, *_: Any) -> Answer:
        return self._answer

    def measured(self, _assignment: Any, measured: Any) -> None:
        self.kept += measured

    def outcome(self, *_: Any) -> None:
        """What this test is not about."""

    def report(self, _event: Any) -> None:
        """Nor this."""

    def time_for(self, *_: Any) -> timedelta:
        return MINUTE

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
    nobody: Any = SimpleNamespace()
    executor = Executor(nobody, nobody, nobody, crew, nobody, breathing=Breathing())
    assert isinstance(executor._second_look(STEP, Done()), ending)
    assert executor.found_by_reading == [FINDING]


class Silent:
    """Hands whose database falls silent."""

    def perform(self, *_: Any) -> dict[str, Any]:
        raise CouldNotLook("the index does not answer")


def test_a_ledger_that_was_closed_before_the_step_failed_is_put_on_record() -> None:
    """Else the next night could not tell it from one that somebody changed."""
    root = Measurement(name="ledger-root", subject="R", value=1.0)
    crew: Any = TellsOne(Nothing(because="closed", findings=(FINDING,), measured=(root,)))
    where: Any = SimpleNamespace(node="a", task="t")
    nobody: Any = SimpleNamespace()
    executor = Executor(where, nobody, Silent(), crew, nobody, breathing=Breathing())
    night = VerifyStore(night="n", quota=1, rate=None, threads=1, pause_above=1, grace=MINUTE, lost_share=0.5)
    ending = executor._perform_step(STEP.model_copy(update={"action": night}), "step-1", last=True)
    assert (ending.ending, crew.kept, executor.found_by_reading) == ("failed", [root], [FINDING])
