"""What was decided: steps, decisions and the plan that carries them."""

import datetime as dt
import hashlib
import json
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from maintainer.model.action import Action, effect
from maintainer.model.finding import Finding, Measurement
from maintainer.model.forecast import Forecast
from maintainer.model.values import Duration, Name, Value

FORMAT = "maintainer.plan/1"


class Risk(StrEnum):
    """What a step costs the clinic while it runs."""

    READS = "reads"
    SLOWER = "slower"
    OUTAGE = "outage"


class Step(Value):
    """One thing to do. `subject` is what it is done to: its steps stand together and end in one second look."""

    subject: str
    title: str
    reason: str
    action: Action
    risk: Risk
    timeout: Duration
    works_on: int | None = Field(None, ge=0, description="bytes of a database that it goes through")
    room: int | None = Field(None, ge=0, description="bytes that it may take on the disk meanwhile, at most")
    forecast: Forecast | None = Field(
        None, description="set by the engine, never by a task, of what `works_on` something"
    )


class Decided(Value):
    """What every decision may carry besides its answer."""

    findings: tuple[Finding, ...] = ()
    measured: tuple[Measurement, ...] = ()


class Steps(Decided):
    """This is due."""

    kind: Literal["steps"] = "steps"
    steps: tuple[Step, ...] = Field(min_length=1)


class Nothing(Decided):
    """Looked, and nothing is due."""

    kind: Literal["nothing"] = "nothing"
    because: str


class Refuse(Decided):
    """Something is due or may be, and doing it now would be unsafe.

    `due`: subjects of what is, where the task knows: what was done before and is not among them is no longer due.
    """

    kind: Literal["refuse"] = "refuse"
    because: str
    hint: str
    due: tuple[str, ...] | None = Field(None, exclude=True)


class Unseen(Decided):
    """The facts could not be had. Made by the engine, never by a task."""

    kind: Literal["unseen"] = "unseen"
    because: str
    hint: str = ""


Decision = Steps | Nothing | Refuse
Answer = Annotated[Steps | Nothing | Refuse | Unseen, Field(discriminator="kind")]


class Entry(Value):
    """One task on one node, as decided."""

    node: Name
    task: Name
    window: Name
    answer: Answer
    asked_at: dt.datetime | None = Field(None, description="when somebody asked for it, whatever its age")

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.answer.steps if isinstance(self.answer, Steps) else ()


class Plan(Value):
    """What a dry run found, and what a person can approve."""

    format: Literal["maintainer.plan/1"] = "maintainer.plan/1"
    site: Name
    inventory: str = Field(description="SHA-256 of the inventory's text")
    made_at: dt.datetime
    expires_at: dt.datetime
    entries: tuple[Entry, ...]

    def digest(self) -> str:
        """SHA-256 over the effects alone: titles, reasons and findings may be reworded without a new approval."""
        effects = [[e.node, e.task, s.subject, s.risk.value, effect(s.action)] for e in self.entries for s in e.steps]
        scope = [self.format, self.site, self.inventory, self.expires_at.isoformat(), effects]
        asked = [[e.node, e.task, e.asked_at.isoformat()] for e in self.entries if e.asked_at]
        scope += [asked] if asked else []
        return hashlib.sha256(json.dumps(scope, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
