"""The calendar as people read it: what opens when, for which tasks, and what stays closed and why."""

import datetime as dt
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from maintainer.model.inventory import Inventory
from maintainer.model.task import Assignment
from maintainer.model.values import Name, Value
from maintainer.model.window import Day, Occurrence
from maintainer.planning.calendar import on_day, opens_on
from maintainer.planning.closures import closed_because
from maintainer.planning.wall_clock import first_instant, is_skipped, utc

YEARS_AHEAD = 5


class TaskUse(Value):
    """A task that works in a window, and where."""

    task: Name
    nodes: tuple[Name, ...]


class Row(Value):
    """One window on one day. Local times carry the offset that holds at that moment."""

    window: Name
    day: dt.date
    closed_because: str = ""
    opens: dt.datetime | None = None
    closes: dt.datetime | None = None
    remark: str = ""
    tasks: tuple[TaskUse, ...] = ()


def calendar_rows(inventory: Inventory, assignments: Sequence[Assignment], now: dt.datetime, days: int) -> list[Row]:
    """List, in order, what is open now and what opens, or stays closed, on `days` days beginning with today."""
    today = utc(now).astimezone(ZoneInfo(inventory.site.timezone)).date()
    uses = {name: _uses(name, assignments) for name in inventory.windows}
    rows = [
        row
        for number in range(-2, days)
        for name in inventory.windows
        for row in _rows_of_day(inventory, name, today + dt.timedelta(days=number), uses[name])
        if number >= 0 or (row.closes and row.closes > now)
    ]
    place = {name: number for number, name in enumerate(inventory.windows)}
    return sorted(rows, key=lambda row: (row.day, row.opens is not None, row.opens or now, place[row.window]))


def timer_lines(inventory: Inventory, now: dt.datetime) -> list[str]:
    """Say, in `OnCalendar=` lines of a systemd timer, when the windows open.

    systemd skips a time that does not exist to the next day, so the openings after a gap of the next `YEARS_AHEAD`
    years are lines of their own. Source: systemd.time(7), "Calendar events".
    """
    zone = inventory.site.timezone
    weekly = [
        f"OnCalendar={','.join(_short(day) for day in Day if day in window.days)} *-*-* {window.opens:%H:%M:%S} {zone}"
        for window in inventory.windows.values()
    ]
    return list(dict.fromkeys([*weekly, *_openings_after_a_gap(inventory, now)]))


def _uses(window: str, assignments: Sequence[Assignment]) -> tuple[TaskUse, ...]:
    here = [one for one in assignments if one.params.window == window]
    tasks = dict.fromkeys(one.task for one in here)
    return tuple(TaskUse(task=task, nodes=tuple(one.node for one in here if one.task == task)) for task in tasks)


def _rows_of_day(inventory: Inventory, name: str, day: dt.date, tasks: tuple[TaskUse, ...]) -> Iterator[Row]:
    window, site = inventory.windows[name], inventory.site
    if not opens_on(window, day):
        return
    why = closed_because(day, site)
    if why:
        yield Row(window=name, day=day, closed_because=why, tasks=tasks)
    else:
        yield _open_row(on_day(name, window, site, day), ZoneInfo(site.timezone), tasks)


def _open_row(found: Occurrence, zone: ZoneInfo, tasks: tuple[TaskUse, ...]) -> Row:
    return Row(
        window=found.window,
        day=found.day,
        opens=found.opens.astimezone(zone),
        closes=found.closes.astimezone(zone),
        remark=found.remark,
        tasks=tasks,
    )


def _openings_after_a_gap(inventory: Inventory, now: dt.datetime) -> Iterator[str]:
    zone = ZoneInfo(inventory.site.timezone)
    today = utc(now).astimezone(zone).date()
    for day in (today + dt.timedelta(days=number) for number in range(YEARS_AHEAD * 366)):
        for window in inventory.windows.values():
            wall = dt.datetime.combine(day, window.opens)
            if opens_on(window, day) and is_skipped(wall, zone):
                yield f"OnCalendar={first_instant(wall, zone).astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}"


def _short(day: Day) -> str:
    return day.value.capitalize()
