"""How long a step will take: its own history, or else what it is allowed; and what people are told of it."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from maintainer.model.forecast import Forecast
from maintainer.model.plan import Step

ENOUGH = 5
RECENT = 3


class Past(NamedTuple):
    """A step that was done. `worked_on`: bytes, None where that is not on record."""

    subject: str
    seconds: float
    worked_on: float | None = None


def predicted(step: Step, history: Sequence[dt.timedelta]) -> dt.timedelta:
    """Predict a step's duration from how long the same step took before, the oldest first.

    With `ENOUGH` entries: their 95th percentile, and never less than the longest of the `RECENT` ones, since databases
    and stores grow. With fewer: the step's timeout. The percentile is the nearest rank: the shortest duration that at
    least 95 % of the entries do not exceed, a duration that was really seen; below 20 entries it is the longest.
    """
    return step.timeout if len(history) < ENOUGH else _usually(history)


def forecast(step: Step, past: Sequence[Past]) -> Forecast:
    """Tell people how long a step will take, by steps of its task on its node, the oldest first.

    From the first time on by its own history; what was never done goes as fast as the others, by the byte. What may
    begin is decided by `predicted` all the same, which is slower to believe that something is short.
    """
    own = [dt.timedelta(seconds=one.seconds) for one in past if one.subject == step.subject]
    if own:
        return Forecast(seconds=round(_usually(own).total_seconds(), 3), by="history")
    sized = [(one.worked_on, one.seconds) for one in past if one.worked_on]
    seconds, worked_on = sum(took for _, took in sized), sum(size for size, _ in sized)
    if seconds and step.works_on:
        return Forecast(seconds=round(step.works_on * seconds / worked_on, 3), by="speed")
    return Forecast()


def _usually(history: Sequence[dt.timedelta]) -> dt.timedelta:
    rank = -(-len(history) * 95 // 100)
    return max(sorted(history)[rank - 1], *history[-RECENT:])
