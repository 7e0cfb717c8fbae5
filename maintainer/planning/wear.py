"""When something will be due, by how it has worn from night to night since it was made anew."""

import datetime as dt
from collections.abc import Iterable
from statistics import linear_regression
from typing import NamedTuple

from maintainer.model.task import Wear

FEWEST = 3
"""Nights of which a line can be told from chance."""
A_NIGHT = dt.timedelta(hours=12)
"""What was measured within it is of one night: its last."""
LATELY = dt.timedelta(days=180)
"""After so long, what is no longer measured may no longer be there."""
FAR = dt.timedelta(days=3650)

NOT_TOLD = "nothing on record says how it grows"
TOO_FEW = "measured in fewer than three nights since it was new"
NOT_LATELY = "not measured for half a year"
NO_GROWTH = "does not grow"
TOO_FAR = "not within ten years"


class Foreseen(NamedTuple):
    """`because`: why nothing is foreseen, else empty. `nights`, `since`: what that rests on."""

    due_by: dt.date | None = None
    because: str = ""
    nights: int = 0
    since: dt.date | None = None


def foreseen(worn: Iterable[Wear], today: dt.date) -> Foreseen:
    """Draw a line through what was measured of one subject, the oldest first, to where it is due.

    >>> night = dt.datetime(2026, 1, 1, 23, tzinfo=dt.UTC)
    >>> worn = [Wear("i", night + dt.timedelta(days=day), share) for day, share in ((0, 0.0), (5, 0.1), (10, 0.2))]
    >>> foreseen(worn, dt.date(2026, 1, 12))
    Foreseen(due_by=datetime.date(2026, 2, 20), because='', nights=3, since=datetime.date(2026, 1, 1))
    >>> foreseen(worn[:2], dt.date(2026, 1, 12)).because
    'measured in fewer than three nights since it was new'
    """
    nights = _nights(worn)
    if not nights:
        return Foreseen(because=NOT_TOLD)
    told = Foreseen(nights=len(nights), since=nights[0].at.date())
    if today - nights[-1].at.date() > LATELY:
        return told._replace(because=NOT_LATELY)
    if nights[-1].share >= 1:
        return told._replace(due_by=nights[-1].at.date())
    if len(nights) < FEWEST:
        return told._replace(because=TOO_FEW)
    return _along_the_line(nights, told)


def _along_the_line(nights: list[Wear], told: Foreseen) -> Foreseen:
    first, last = nights[0].at, nights[-1].at
    line = linear_regression([(one.at - first) / dt.timedelta(days=1) for one in nights], [one.share for one in nights])
    if line.slope <= 0:
        return told._replace(because=NO_GROWTH)
    days = (1 - line.intercept) / line.slope
    if days > (last - first + FAR) / dt.timedelta(days=1):
        return told._replace(because=TOO_FAR)
    # It was not due when it was last measured, whatever the line says.
    return told._replace(due_by=max((first + dt.timedelta(days=days)).date(), last.date() + dt.timedelta(days=1)))


def _nights(worn: Iterable[Wear]) -> list[Wear]:
    """Keep the last of each night."""
    nights: list[Wear] = []
    began: dt.datetime | None = None
    for one in worn:
        if began is None or one.at - began >= A_NIGHT:
            began = one.at
            nights.append(one)
        else:
            nights[-1] = one
    return nights
