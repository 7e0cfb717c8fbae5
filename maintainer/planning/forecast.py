"""How long a step will take: its own history, or else what it is allowed."""

import datetime as dt
from collections.abc import Sequence

from maintainer.model.plan import Step

ENOUGH = 5
RECENT = 3


def predicted(step: Step, history: Sequence[dt.timedelta]) -> dt.timedelta:
    """Predict a step's duration from how long the same step took before, the oldest first.

    With `ENOUGH` entries: their 95th percentile, and never less than the longest of the `RECENT` ones, since databases
    and stores grow. With fewer: the step's timeout. The percentile is the nearest rank: the shortest duration that at
    least 95 % of the entries do not exceed, a duration that was really seen; below 20 entries it is the longest.
    """
    usual = usually(history)
    return step.timeout if usual is None else usual


def usually(history: Sequence[dt.timedelta]) -> dt.timedelta | None:
    """How long something takes by its own history; None while too little of it is known."""
    if len(history) < ENOUGH:
        return None
    rank = -(-len(history) * 95 // 100)
    return max(sorted(history)[rank - 1], *history[-RECENT:])
