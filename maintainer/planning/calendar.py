"""When windows are open: from the site's wall clock to instants, and what was missed.

In the nights in which clocks are set, a window opens and closes at the first instant at which the clock on the wall
shows its time, or has jumped past it. So it is never open once that clock has reached the time to close, and one night
has one opening. There is one exception: a window that lies wholly in the hour that is skipped opens after it and keeps
its length, so that the night is not lost. Whatever differs from an ordinary night is said in `Occurrence.remark`.

Openings of one window that touch are openings still: each is listed, counted, run and missed for itself. But the window
does not close between them, so an end that something must be done by is that of the last of them: see `open_now`.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from maintainer.model.inventory import Site
from maintainer.model.window import Day, Occurrence, Window
from maintainer.planning.closures import closed_because
from maintainer.planning.wall_clock import first_instant, is_repeated, is_skipped, utc

LOOK_BACK = dt.timedelta(days=31)
LOOK_AHEAD = dt.timedelta(days=400)
JOINED_WITHIN = dt.timedelta(days=7)
"""How long after an opening began others are still joined to it: what is always open has an end all the same."""

_DAYS = tuple(Day)
_ONE_DAY = dt.timedelta(days=1)


def occurrences(name: str, window: Window, site: Site, since: dt.datetime, until: dt.datetime) -> Iterator[Occurrence]:
    """Yield, in order, each occurrence that is open at some moment of since ≤ t < until."""
    since, until = utc(since), utc(until)
    for day in _days_around(since, until, ZoneInfo(site.timezone)):
        if opens_on(window, day) and not closed_because(day, site):
            found = on_day(name, window, site, day)
            if found.opens < until and since < found.closes:
                yield found


def opens_on(window: Window, day: dt.date) -> bool:
    """Tell whether the window is meant for this day of the week, whatever the day itself may be."""
    return _DAYS[day.weekday()] in window.days


def on_day(name: str, window: Window, site: Site, day: dt.date) -> Occurrence:
    """Compute the occurrence that opens on a day, without asking whether it is meant for it."""
    zone = ZoneInfo(site.timezone)
    wall_opens, wall_closes = _wall_times(window, day)
    opens, closes = first_instant(wall_opens, zone), first_instant(wall_closes, zone)
    if opens == closes:  # both lie in the hour that is skipped
        closes = opens + (wall_closes - wall_opens)
    remarks = (
        _remark("opens", wall_opens, opens, zone),
        _remark("closes", wall_closes, closes, zone),
        _length_remark(wall_closes - wall_opens, closes - opens),
    )
    return Occurrence(window=name, day=day, opens=opens, closes=closes, remark="; ".join(filter(None, remarks)))


def open_now(windows: Mapping[str, Window], site: Site, now: dt.datetime) -> dict[str, Occurrence]:
    """Return the windows that are open, each with its occurrence, which closes when the window does.

    That is when the last of those closes that follow it without a gap. It depends on the occurrence, not on `now`.
    """
    now = utc(now)
    return {
        name: _joined(found, window, site)
        for name, window in windows.items()
        for found in occurrences(name, window, site, now, now + dt.timedelta.resolution)
    }


def next_opening(windows: Mapping[str, Window], site: Site, now: dt.datetime) -> Occurrence | None:
    """Return what opens next, later than `now`; nothing when no window opens within `LOOK_AHEAD`."""
    now = utc(now)
    first = (
        next((o for o in occurrences(name, window, site, now, now + LOOK_AHEAD) if now < o.opens), None)
        for name, window in windows.items()
    )
    return min(filter(None, first), key=lambda o: o.opens, default=None)


def missed(
    windows: Mapping[str, Window], site: Site, last_run: dt.datetime | None, now: dt.datetime
) -> tuple[Occurrence, ...]:
    """Return what opened and closed entirely since the last run, the oldest first, at most `LOOK_BACK` ago.

    A controller that never ran has missed nothing.
    """
    if last_run is None:
        return ()
    now = utc(now)
    since = max(utc(last_run), now - LOOK_BACK)
    found = (o for name, window in windows.items() for o in occurrences(name, window, site, since, now))
    return tuple(sorted((o for o in found if since <= o.opens and o.closes <= now), key=lambda o: (o.opens, o.window)))


def length(value: dt.timedelta) -> str:
    """Write how long a window is open, as people say it.

    >>> length(dt.timedelta(hours=2, minutes=30)), length(dt.timedelta(minutes=45))
    ('2 h 30 min', '45 min')
    """
    hours, rest = divmod(value, dt.timedelta(hours=1))
    minutes, seconds = divmod(rest, dt.timedelta(minutes=1))
    parts = ((hours, "h"), (minutes, "min"), (seconds // dt.timedelta(seconds=1), "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 min"


def _joined(found: Occurrence, window: Window, site: Site) -> Occurrence:
    closes = found.closes
    for later in occurrences(found.window, window, site, closes, found.opens + JOINED_WITHIN):
        if later.opens != closes:
            break
        closes = later.closes
    return found.model_copy(update={"closes": closes})


def _days_around(since: dt.datetime, until: dt.datetime, zone: ZoneInfo) -> Iterator[dt.date]:
    """Yield the days whose windows may touch the span: clocks set back over midnight show tomorrow before today."""
    day, last = since.astimezone(zone).date() - 2 * _ONE_DAY, until.astimezone(zone).date() + _ONE_DAY
    while day <= last:
        yield day
        day += _ONE_DAY


def _wall_times(window: Window, day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    opens = dt.datetime.combine(day, window.opens.replace(tzinfo=None))
    closes = dt.datetime.combine(day, window.closes.replace(tzinfo=None))
    return opens, closes if opens < closes else closes + _ONE_DAY


def _remark(verb: str, wall: dt.datetime, instant: dt.datetime, zone: ZoneInfo) -> str:
    if is_repeated(wall, zone):
        return f"{_clock(wall)} exists twice on {wall.date()}: {verb} at the first"
    if not is_skipped(wall, zone) and first_instant(wall, zone) == instant:
        return ""
    local = instant.astimezone(zone)
    fate = "does not exist" if is_skipped(wall, zone) else "ends the hour that does not exist"
    day = f" on {local.date()}" if local.date() != wall.date() else ""
    return f"{_clock(wall)} {fate} on {wall.date()}: {verb} at {_clock(local)}{day}"


def _length_remark(nominal: dt.timedelta, real: dt.timedelta) -> str:
    return "" if real == nominal else f"lasts {length(real)}, not {length(nominal)}"


def _clock(moment: dt.datetime) -> str:
    return moment.time().isoformat("minutes" if moment.second == 0 else "seconds")
