"""What a task has done over the nights, as the intervention log knows it: to what, how often, how long, what for."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal

from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record, number
from maintainer.model.task import AnyTask, Assignment
from maintainer.model.values import Name, Value
from maintainer.planning.wear import NOT_TOLD, TOO_FEW, Foreseen, foreseen

AT_MOST = 20_000
"""Newest endings that are read of one task on one node: years of nights."""
NOT_WORTH_IT = 0.1
"""Share of a thing that must be given back at least, for doing it to pay."""
TIMES = 3
"""So often it must not have paid before somebody is told to leave it out."""


class Trend(Value):
    """One subject. `last`: None where it was not due yet.

    `unknown` counts those whose ending nobody knew that night. `seconds`, `wal` and `reclaimed` are of the last time,
    `predicted` is how long that was thought to take; `reclaimed_in_all` is of every time. `pays`: None where nothing is
    ever given back, as by a check.

    `next_by` is where a line through what was measured in `nights` nights `since` it was new leads to, or what its own
    rhythm says while nothing can be said by that; None before it was done twice. `unforeseen`: why what was measured
    says nothing.
    """

    node: Name
    subject: str
    done: int
    failed: int
    unknown: int
    last: str | None
    seconds: float | None
    predicted: float | None
    wal: float | None
    reclaimed: float | None
    reclaimed_in_all: float | None
    pays: bool | None
    next_by: dt.date | None
    next_told_by: Literal["measurements", "rhythm"] | None
    nights: int
    since: dt.date | None
    unforeseen: str


class Trends(Value):
    """What `maintainer status --task` shows, of all nodes on which the task runs.

    What was never done and is not foreseen is only counted, by why, in `others`. `retire`: nodes where it never pays.
    """

    format: Literal["maintainer.trends/1"] = "maintainer.trends/1"
    task: Name
    trends: tuple[Trend, ...]
    others: dict[str, int]
    retire: tuple[Name, ...]


def trends(log: InterventionLog, assignments: Iterable[Assignment], task: AnyTask, today: dt.date) -> Trends:
    """Read how the steps of a task ended; what was done last comes first, then what is due first."""
    found: list[Trend] = []
    for one in assignments:
        if one.task == task.name:
            found += _of_node(log, one, task, today)
    told = [one for one in found if one.last or one.next_by]
    told.sort(key=lambda one: (one.last or "", -(one.next_by or dt.date.max).toordinal()), reverse=True)
    others = Counter(one.unforeseen for one in found if not (one.last or one.next_by))
    return Trends(task=task.name, trends=tuple(told), others=dict(others), retire=_never_paying(found))


def _of_node(log: InterventionLog, assignment: Assignment, task: AnyTask, today: dt.date) -> Iterator[Trend]:
    node = assignment.node
    ended = log.records(Filter(node=node, task=task.name, kind=Kind.OUTCOME, limit=AT_MOST))
    records: dict[str, list[Record]] = {}
    for one in ended:
        if one.ending != "not-run":
            records.setdefault(one.subject, []).append(one)
    marks = log.marks(node, task.wears) if task.wears else []
    worn = groupby(task.wear(assignment.params, marks), key=lambda one: one.subject)
    ahead = {subject: foreseen(each, today) for subject, each in worn}
    unknown = Foreseen(because=NOT_TOLD if task.wears else "")
    for subject in sorted(records.keys() | ahead.keys()):
        yield _trend(node, subject, records.get(subject, []), ahead.get(subject, unknown))


def _trend(node: str, subject: str, records: Sequence[Record], ahead: Foreseen) -> Trend:
    done = [one for one in records if one.ending == "done"]
    gains = _numbers(done, "reclaimed-bytes")
    shares = _numbers(done, "reclaimed-share")
    seconds = _numbers(done, "seconds")
    # What was measured and does not grow will not be due, however often it was.
    rhythm = _next([one.at for one in done]) if ahead.because in {"", NOT_TOLD, TOO_FEW} else None
    return Trend(
        node=node,
        subject=subject,
        done=len(done),
        failed=sum(one.ending == "failed" for one in records),
        unknown=sum(one.ending == "unknown" for one in records),
        last=records[-1].time if records else None,
        seconds=next(reversed(seconds), None),
        predicted=next(iter(_numbers(done[-1:], "predicted_seconds")), None),
        wal=next(iter(_numbers(done[-1:], "wal_bytes")), None),
        reclaimed=next(reversed(gains), None),
        reclaimed_in_all=sum(gains) if gains else None,
        pays=_pays(shares),
        next_by=ahead.due_by or rhythm,
        next_told_by="measurements" if ahead.due_by else "rhythm" if rhythm else None,
        nights=ahead.nights,
        since=ahead.since,
        unforeseen=ahead.because,
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


def _never_paying(found: Iterable[Trend]) -> tuple[str, ...]:
    """Where something was done, nothing of that pays, and nothing is foreseen that was not tried yet."""
    known: dict[str, set[bool]] = {}
    for one in found:
        pays = True if one.next_by and not one.last else one.pays
        if pays is not None:
            known.setdefault(one.node, set()).add(pays)
    return tuple(node for node, pays in known.items() if pays == {False})


def _next(times: Sequence[dt.datetime]) -> dt.date | None:
    if len(times) < 2:  # noqa: PLR2004 (one does not make a rhythm)
        return None
    return (times[-1] + (times[-1] - times[0]) / (len(times) - 1)).date()
