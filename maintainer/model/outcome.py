"""How a step ended. There is no fifth way."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from maintainer.model.values import Value


class Reason(StrEnum):
    """Why a step was not run."""

    NOT_APPROVED = "not-approved"  # due now, but not in the approved plan
    NO_LONGER_DUE = "no-longer-due"  # approved, but observing again found nothing to do
    OUTSIDE_WINDOW = "outside-window"
    NO_TIME_LEFT = "no-time-left"  # it would not end inside the window
    EARLIER_STEP = "earlier-step"  # a step before it did not end as done
    PARTNER_NOT_SERVING = "partner-not-serving"
    STILL_IN_USE = "still-in-use"  # associations did not end in time, or images arrive: nothing was stopped
    GAVE_WAY = "gave-way"  # it kept the clinic waiting, or a lock was not to be had: cancelled, and nothing was changed
    GROUP_STOPPED = "group-stopped"  # another member of the group is not known to serve
    NODE_HELD = "node-held"  # another run or another controller holds the node by now
    PERSON_AT_WORK = "person-at-work"  # somebody began to work on the node, or on its partner, during the run
    UNRECONCILED = "unreconciled"  # an earlier run left something unknown on this node
    CLOCK_STEPPED = "clock-stepped"  # the controller's clock was set during the run, or the node's disagrees with it
    INTERRUPTED = "interrupted"  # a person stopped the run
    LOG_NOT_WRITABLE = "log-not-writable"


class Done(Value):
    ending: Literal["done"] = "done"
    measured: dict[str, JsonValue] = {}


class Failed(Value):
    ending: Literal["failed"] = "failed"
    error: str


class Unknown(Value):
    """The link was lost in mid-step: the node may or may not have done it. Never repeated blindly."""

    ending: Literal["unknown"] = "unknown"
    last_seen: str


class NotRun(Value):
    ending: Literal["not-run"] = "not-run"
    reason: Reason
    detail: str = ""


Ending = Annotated[Done | Failed | Unknown | NotRun, Field(discriminator="ending")]
