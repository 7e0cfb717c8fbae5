"""What a person should know, and the numbers that are kept."""

import datetime as dt
from enum import StrEnum

from pydantic import Field, JsonValue

from maintainer.model.values import Name, Value


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Acknowledged(Value):
    """A person's word that a finding is known. It is told all the same, and alarms nobody.

    `accepted`: it is as it should be, so that it need not be told any longer.
    """

    who: str
    at: dt.datetime
    why: str
    accepted: bool = False


class Finding(Value):
    """Something a person should know. `evidence` holds measured numbers and enumerated words, never patient data.

    `private` marks a subject that names a patient's object; the engine replaces it by a keyed hash before anything is
    shown or logged. Of what is `indexed_as` something, the engine asks the group's partners for a good copy.
    """

    severity: Severity
    cause: Name
    subject: str
    evidence: dict[str, JsonValue] = {}
    advice: str
    private: bool = Field(default=False, exclude=True)
    indexed_as: int | None = Field(
        None, exclude=True, description="key in the archive's index of an object that is to be fetched from elsewhere"
    )
    acknowledged: Acknowledged | None = Field(None, description="set by the engine, never by a task")


class Measurement(Value):
    """A number worth keeping: a later plan can ask for its history by name and subject."""

    name: Name
    subject: str
    value: float
