"""Work that is planned for days of a calendar: every first Sunday, twice a year."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from dateutil.rrule import rrulestr
from pydantic import AfterValidator

LOOK_BACK = timedelta(days=400)


def _a_rule(text: str) -> str:
    """Accept a rule of days; INTERVAL=0 would never end, and a start of its own would move with the file."""
    parts = {part.partition("=")[0].upper(): part.partition("=")[2] for part in text.split(";")}
    sentence = "a schedule is an RFC 5545 rule such as FREQ=MONTHLY;BYDAY=1SU"
    if parts.get("FREQ") not in {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"} or parts.get("INTERVAL", "1").strip("0") == "":
        raise ValueError(sentence)
    try:
        rrulestr(text, dtstart=datetime(2000, 1, 3, tzinfo=UTC))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(sentence) from None
    return text


DayRule = Annotated[str, AfterValidator(_a_rule)]
"""An RFC 5545 recurrence rule, times in UTC."""


def last_planned(rule: str | None, now: datetime) -> datetime | None:
    """Find the newest date of a rule that is not later than `now`."""
    if rule is None:
        return None
    dates = rrulestr(rule, dtstart=(now - LOOK_BACK).replace(hour=0, minute=0, second=0, microsecond=0))
    return dates.before(now, inc=True)
