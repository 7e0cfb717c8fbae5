"""What the ending of a step means: for its subject, for the steps after it, and for the rest of the night."""

from typing import NamedTuple

from pydantic import JsonValue

from maintainer.model.action import Reboot, RestartServices, effect
from maintainer.model.outcome import Ending, Failed, NotRun, Reason, Unknown
from maintainer.model.plan import Answer, Refuse, Risk, Step, Steps


class Grave(NamedTuple):
    """The ending after which a node must be left alone. `of_service`: of a service, which may now be down."""

    step: Step
    ending: Ending
    of_service: bool


def still_due(step: Step, answer: Answer) -> str:
    """Why a step's subject is due, nothing when it is not; a task that refuses now may know all the same."""
    if isinstance(answer, Refuse):
        return answer.because if step.subject in (answer.due or ()) else ""
    due = answer.steps if isinstance(answer, Steps) else ()
    return next((one.reason for one in due if one.subject == step.subject), "")


def seen_of(step: Step, answer: Answer) -> dict[str, JsonValue]:
    """What the look after a step measured of its subject, as what a rebuild has reclaimed."""
    kept = answer.measured if step.risk is Risk.SLOWER else ()
    return {one.name: one.value for one in kept if one.subject == step.subject}


def expected_of(step: Step) -> dict[str, JsonValue]:
    """What was thought of a step beforehand, to be held against what came of it."""
    if step.works_on is None or step.forecast is None:
        return {}
    told = {"predicted_seconds": step.forecast.seconds, "predicted_by": step.forecast.by}
    return {"works_on": step.works_on, **{name: value for name, value in told.items() if value is not None}}


def gave_way(ending: Ending) -> bool:
    return isinstance(ending, NotRun) and ending.reason is Reason.GAVE_WAY


def without(steps: tuple[Step, ...], done: tuple[Step, ...]) -> tuple[Step, ...]:
    """Leave out what has the effect of something that was done."""
    effects = [(one.subject, effect(one.action)) for one in done]
    return tuple(step for step in steps if (step.subject, effect(step.action)) not in effects)


def _touches_service(steps: tuple[Step, ...]) -> bool:
    return any(isinstance(step.action, RestartServices | Reboot) for step in steps)


def may_be_down(subject: tuple[Step, ...], ending: Ending) -> bool:
    """When somebody else held the node, or it was not let go down, nothing was stopped."""
    return _touches_service(subject) and not isinstance(ending, NotRun)


def is_grave(subject: tuple[Step, ...], ending: Ending) -> bool:
    """A lost link or lease, or a service that is not known to serve: touch this node no more tonight."""
    if isinstance(ending, NotRun):
        return ending.reason is Reason.NODE_HELD
    return isinstance(ending, Unknown) or (_touches_service(subject) and isinstance(ending, Failed))
