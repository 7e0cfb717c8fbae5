"""What a wall clock's time means as an instant, also in the nights in which clocks are set.

Python and dateutil accept local times that never happen or happen twice without a word; a round trip through UTC tells.
"""

import datetime as dt
from zoneinfo import ZoneInfo

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECOND = dt.timedelta(seconds=1)


def utc(instant: dt.datetime) -> dt.datetime:
    """Write an instant in UTC, the only zone in which Python subtracts instants rather than wall times.

    Raises:
        ValueError: it has no zone, so it is not an instant.
    """
    if instant.tzinfo is None:
        raise ValueError("a time without a zone is not an instant")
    return instant.astimezone(dt.UTC)


def first_instant(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the first instant, in UTC, at which the zone's clocks show `wall` or have jumped past it.

    A later wall time never gives an earlier instant, so what is built from two of them cannot overlap.

    >>> paris = ZoneInfo("Europe/Paris")
    >>> print(first_instant(dt.datetime(2026, 3, 29, 2, 30), paris))  # the clocks jump from 02:00 to 03:00
    2026-03-29 01:00:00+00:00
    >>> print(first_instant(dt.datetime(2026, 10, 25, 2, 30), paris))  # shown twice, an hour apart
    2026-10-25 00:30:00+00:00
    """
    if not is_skipped(wall, zone):
        return _as_if(wall, zone, fold=0)
    return _end_of_gap(wall, zone)


def is_skipped(wall: dt.datetime, zone: ZoneInfo) -> bool:
    """Tell whether the zone's clocks never show `wall`: they are set forward past it."""
    return _as_if(wall, zone, fold=0).astimezone(zone).replace(tzinfo=None) != wall


def is_repeated(wall: dt.datetime, zone: ZoneInfo) -> bool:
    """Tell whether the zone's clocks show `wall` twice: they are set back over it."""
    return not is_skipped(wall, zone) and _as_if(wall, zone, fold=0) != _as_if(wall, zone, fold=1)


def is_skipped_day(day: dt.date, zone: ZoneInfo) -> bool:
    """Tell whether the zone has no such day: Pacific/Apia went from 29 to 31 December 2011, across the date line."""
    noon = dt.datetime.combine(day, dt.time(12))
    return is_skipped(noon, zone) and _end_of_gap(noon, zone).astimezone(zone).date() > day


def _as_if(wall: dt.datetime, zone: ZoneInfo, *, fold: int) -> dt.datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC)


def _end_of_gap(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Find the change of offset, to the second, between the two readings of a time that does not exist.

    Source: PEP 495, "Mind the Gap": fold=0 reads it by the offset before the change, fold=1 by the one after.
    """
    before = (_as_if(wall, zone, fold=1) - _EPOCH) // _SECOND
    after = -((_EPOCH - _as_if(wall, zone, fold=0)) // _SECOND)
    old_offset = _offset(before, zone)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(middle, zone) == old_offset else (before, middle)
    return _EPOCH + after * _SECOND


def _offset(seconds: int, zone: ZoneInfo) -> dt.timedelta | None:
    return (_EPOCH + seconds * _SECOND).astimezone(zone).utcoffset()
