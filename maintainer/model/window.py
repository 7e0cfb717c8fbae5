"""When work may be done: local wall time, and what it means as instants."""

import datetime as dt
from enum import StrEnum

from pydantic import Field

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


class Window(Value):
    """A time of the week in which work may be done. It belongs to the day on which it opens.

    A window that closes at or before the time it opens closes on the next day: `22:00` to `02:00` on Friday ends on
    Saturday, and `00:00` to `00:00` is the whole day.
    """

    opens: dt.time = Field(strict=False, description='local time, "22:00"')
    closes: dt.time = Field(strict=False, description='local time, "05:00"; on the next day unless later than `opens`')
    days: tuple[Day, ...] = Field(tuple(Day), min_length=1, strict=False)


class Occurrence(Value):
    """One opening of a window, as UTC instants: opens ≤ t < closes."""

    window: str
    day: dt.date
    opens: dt.datetime
    closes: dt.datetime
    remark: str = ""

    def is_open(self, now: dt.datetime) -> bool:
        return self.opens <= now < self.closes
