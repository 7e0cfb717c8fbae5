"""Work that is planned for days of a calendar: every first Sunday, twice a year."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator

LOOK_BACK = timedelta(days=400)


def _a_rule(text: str) -> str:
    """Accept a rule of days; INTERVAL=0 would never end, and a start of its own would move with the file."""
    parts = {part.partition("=")[0].upper(): part.partition("=")[2] for part in text.split(";")}
    sentence = "a schedule is an RFC 5545 rule such as FREQ=MONTHLY;BYDAY=1SU"
    if parts.get("FREQ") not in {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"} or parts.get("INTERVAL", "1").strip("0") == "":
        raise ValueError(sentence)
    try:
        _dates(text, datetime(2000, 1, 3, tzinfo=UTC))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(sentence) from None
    return text


DayRule = Annotated[str, AfterValidator(_a_rule)]
"""An RFC 5545 recurrence rule, times in UTC."""


def last_planned(rule: str | None, now: datetime) -> datetime | None:
    """Find the newest date of a rule that is not later than `now`."""
    if rule is None:
        return None
    start = (now - LOOK_BACK).replace(hour=0, minute=0, second=0, microsecond=0)
    found: datetime | None = _dates(rule, start).before(now, inc=True)
    return found


def _dates(rule: str, start: datetime) -> Any:
    from dateutil.rrule import rrulestr  # noqa: PLC0415 (only for who has a schedule: 12 ms of each command)

    return rrulestr(rule, dtstart=start)
