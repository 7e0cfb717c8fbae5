"""When work may be done: local wall time, and what it means as instants."""

import datetime as dt
import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from maintainer.model.values import Value


class Day(StrEnum):
    """Day on which a window opens, in the order of `date.weekday()`."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


_CLOCK = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])")


def _wall_time(given: Any) -> dt.time:
    if isinstance(given, dt.time) and given == dt.time(given.hour, given.minute):
        return given
    match = _CLOCK.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise ValueError('a time of day is written "22:00", from 00:00 to 23:59')
    return dt.time(int(match[1]), int(match[2]))


def _once_each(days: tuple[Day, ...]) -> tuple[Day, ...]:
    if len(set(days)) < len(days):
        raise ValueError("each day stands once")
    return days


WallTime = Annotated[
    dt.time,
    BeforeValidator(_wall_time),
    WithJsonSchema({"type": "string", "pattern": f"^{_CLOCK.pattern}$", "examples": ["22:00"]}),
]


class Window(Value):
    """A time of the week in which work may be done. It belongs to the day on which it opens.

    A window that closes at or before the time it opens closes on the next day: `22:00` to `02:00` on Friday ends on
    Saturday, and `00:00` to `00:00` is the whole day.
    """

    opens: WallTime = Field(description='local time, "22:00"')
    closes: WallTime = Field(description='local time, "05:00"; on the next day unless later than `opens`')
    days: Annotated[
        tuple[Annotated[Day, Field(strict=False)], ...], Field(min_length=1, strict=False), AfterValidator(_once_each)
    ] = Field(tuple(Day), description="days on which it opens; without it, every day")


class Occurrence(Value):
    """One opening of a window, as UTC instants: opens ≤ t < closes.

    Of a window that is open now, `closes` is the end of the last opening that follows without a gap.
    """

    window: str
    day: dt.date
    opens: dt.datetime
    closes: dt.datetime
    remark: str = ""

    def is_open(self, now: dt.datetime) -> bool:
        return self.opens <= now < self.closes
