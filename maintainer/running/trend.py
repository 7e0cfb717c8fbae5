"""What a task has done over the nights, as the intervention log knows it: to what, how often, how long, what for."""

import datetime as dt
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal

from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record, number
from maintainer.model.task import Assignment
from maintainer.model.values import Name, Value

AT_MOST = 20_000
"""Newest endings that are read of one task on one node: years of nights."""
NOT_WORTH_IT = 0.1
"""Share of a thing that must be given back at least, for doing it to pay."""
TIMES = 3
"""So often it must not have paid before somebody is told to leave it out."""


class Trend(Value):
    """One subject. `next_by` is what its own rhythm says, None before it was done twice.

    `unknown` counts those whose ending nobody knew that night. `seconds`, `wal` and `reclaimed` are of the last time,
    `predicted` is how long that was thought to take; `reclaimed_in_all` is of every time. `pays`: None where nothing is
    ever given back, as by a check.
    """

    node: Name
    subject: str
    done: int
    failed: int
    unknown: int
    last: str
    seconds: float | None
    predicted: float | None
    wal: float | None
    reclaimed: float | None
    reclaimed_in_all: float | None
    pays: bool | None
    next_by: dt.date | None


class Trends(Value):
    """What `maintainer status --task` shows, of all nodes on which the task runs."""

    format: Literal["maintainer.trends/1"] = "maintainer.trends/1"
    task: Name
    trends: tuple[Trend, ...]


def trends(log: InterventionLog, assignments: Iterable[Assignment], task: str) -> Trends:
    """Read how the steps of a task ended; what was done last comes first."""
    found: list[Trend] = []
    for node in (one.node for one in assignments if one.task == task):
        ended = log.records(Filter(node=node, task=task, kind=Kind.OUTCOME, limit=AT_MOST))
        by_subject = sorted((one for one in ended if one.ending != "not-run"), key=lambda one: one.subject)
        found += [_trend(tuple(each)) for _, each in groupby(by_subject, key=lambda one: one.subject)]
    return Trends(task=task, trends=tuple(sorted(found, key=lambda one: one.last, reverse=True)))


def _trend(records: Sequence[Record]) -> Trend:
    done = [one for one in records if one.ending == "done"]
    gains = _numbers(done, "reclaimed-bytes")
    shares = _numbers(done, "reclaimed-share")
    seconds = _numbers(done, "seconds")
    return Trend(
        node=records[0].node,
        subject=records[0].subject,
        done=len(done),
        failed=sum(one.ending == "failed" for one in records),
        unknown=sum(one.ending == "unknown" for one in records),
        last=records[-1].time,
        seconds=next(reversed(seconds), None),
        predicted=next(iter(_numbers(done[-1:], "predicted_seconds")), None),
        wal=next(iter(_numbers(done[-1:], "wal_bytes")), None),
        reclaimed=next(reversed(gains), None),
        reclaimed_in_all=sum(gains) if gains else None,
        pays=_pays(shares),
        next_by=_next([one.at for one in done]),
    )


def _numbers(records: Iterable[Record], name: str) -> list[float]:
    return [value for one in records if (value := number(one.measured.get(name))) is not None]


def _pays(shares: Sequence[float]) -> bool | None:
    """Not when it gave back next to nothing several times in a row.

    >>> _pays([]), _pays([0.02, 0.0]), _pays([0.5, 0.02, 0.0, 0.01])
    (None, True, False)
    """
    if not shares:
        return None
    return len(shares) < TIMES or any(share >= NOT_WORTH_IT for share in shares[-TIMES:])


def _next(times: Sequence[dt.datetime]) -> dt.date | None:
    if len(times) < 2:  # noqa: PLR2004 (one does not make a rhythm)
        return None
    return (times[-1] + (times[-1] - times[0]) / (len(times) - 1)).date()
