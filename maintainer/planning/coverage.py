"""How much of a store is to be read tonight, so that each object is read again within its period."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from maintainer.model.task import Seen

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_USABLE = 0.7
"""Part of the time that goes into reading; the rest is for the index, for stray files and for asking again."""
_FIGURES = 2


class Opening(Seen):
    """One opening of a window."""

    opens: dt.datetime
    closes: dt.datetime


class Age(NamedTuple):
    """How many bytes were last read on a day, in days since 1970."""

    day: int
    bytes: int


class Coverage(NamedTuple):
    """`tonight`: bytes to read, rounded up. `complete`: when all will have been read within the period, None if never.

    `keeps`: whether the period can be kept, None while no speed is known.
    """

    tonight: int
    share: float
    oldest: dt.date | None
    complete: dt.datetime | None
    keeps: bool | None
    rate_needed: int


class Store(NamedTuple):
    """What is known of a store: bytes that were never read, and those that were, by age. `speed`: bytes a second."""

    fresh: int
    ages: Sequence[Age]
    speed: int | None


def coverage(
    store: Store, period: dt.timedelta, at_most: dt.timedelta, openings: Sequence[Opening], now: dt.datetime
) -> Coverage:
    """Compute tonight's quota, and whether the period can be kept.

    Everything fresh is read at once. Of the rest, what must be read by a certain day is spread evenly over the openings
    until then, and the most demanding of these days decides: no less on any night would keep every deadline.

    Args:
        store: What was read, and what was not.
        period: Within which every object is to be read again.
        at_most: How long it may read in one opening.
        openings: Of the window, within the period, the one for which this is asked first.
        now: From here on.
    """
    due = max((_even(total, openings, day) for total, day in _deadlines(store.ages, period)), default=0)
    everything = sum(age.bytes for age in store.ages)
    needed = max(due, _even(everything + store.fresh, openings, now + period))
    seconds = _USABLE * min([at_most, *(one.closes - one.opens for one in openings)]).total_seconds()
    room = store.speed * seconds if store.speed else None
    return Coverage(
        tonight=rounded_up(store.fresh + due),
        share=_share(store, now - period),
        oldest=(_EPOCH + dt.timedelta(days=min(age.day for age in store.ages))).date() if store.ages else None,
        complete=_complete(store, period, room, openings, now),
        keeps=None if room is None else needed <= room,
        rate_needed=rounded_up(round(needed / max(seconds, 1))),
    )


def rounded_up(count: int) -> int:
    """Round up to two figures: a plan that was approved an hour ago still asks for the same.

    >>> rounded_up(12_345), rounded_up(99_900), rounded_up(7)
    (13000, 100000, 7)
    """
    unit: int = 10 ** max(0, len(str(count)) - _FIGURES)
    return -(-count // unit) * unit


def _deadlines(ages: Sequence[Age], period: dt.timedelta) -> list[tuple[int, dt.datetime]]:
    """How much must have been read by when, the earliest first."""
    total, found = 0, list[tuple[int, dt.datetime]]()
    for age in sorted(ages):
        total += age.bytes
        found.append((total, _EPOCH + dt.timedelta(days=age.day) + period))
    return found


def _even(total: int, openings: Sequence[Opening], deadline: dt.datetime) -> int:
    count: int = max(1, sum(one.opens < deadline for one in openings))
    return -(-total // count)


def _share(store: Store, since: dt.datetime) -> float:
    total = store.fresh + sum(age.bytes for age in store.ages)
    first = (since - _EPOCH).days
    return sum(age.bytes for age in store.ages if age.day >= first) / total if total else 1.0


def _complete(
    store: Store, period: dt.timedelta, room: float | None, openings: Sequence[Opening], now: dt.datetime
) -> dt.datetime | None:
    """After which opening all will have been read within the period; that is by the last one of a period, or never."""
    deadlines = _deadlines(store.ages, period)
    ends = [now, *(one.closes for one in openings)] if room else [now]
    for nights, at in enumerate(ends):
        left = nights * (room or 0) - store.fresh
        if left >= 0 and all(total <= left or at < day for total, day in deadlines):
            return at
    return None
