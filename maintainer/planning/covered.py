"""Coverage of a store as numbers that the intervention log keeps, and back."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Self

from maintainer.model.finding import Measurement
from maintainer.model.values import Duration, Value
from maintainer.planning.coverage import Coverage

_NAMES = ("within", "share", "oldest", "complete", "keeps", "rate-needed")
WITHIN = "coverage-within"


class Covered(Value):
    """How much of a store was read within its period. `complete`: when all of it will have been.

    `keeps`: whether the period can be kept, None while no speed is known; `rate_needed` in bytes a second.
    """

    within: Duration
    share: float
    oldest: dt.date | None
    complete: dt.datetime | None
    keeps: bool | None
    rate_needed: int

    @classmethod
    def of(cls, found: Coverage, period: dt.timedelta) -> Self:
        return cls(
            within=period,
            share=found.share,
            oldest=found.oldest,
            complete=found.complete,
            keeps=found.keeps,
            rate_needed=found.rate_needed,
        )

    @classmethod
    def read(cls, numbers: Mapping[str, float]) -> Self:
        """Read what `measured` wrote."""
        within, share, oldest, complete, keeps, rate = (numbers.get(f"coverage-{name}") for name in _NAMES)
        return cls(
            within=dt.timedelta(seconds=within or 0),
            share=share or 0.0,
            oldest=None if oldest is None else dt.datetime.fromtimestamp(oldest, dt.UTC).date(),
            complete=None if complete is None else dt.datetime.fromtimestamp(complete, dt.UTC),
            keeps=None if keeps is None else bool(keeps),
            rate_needed=int(rate or 0),
        )

    def measured(self) -> Iterator[Measurement]:
        """Write times in seconds since 1970 and yes as 1; what is not known is left out."""
        midnight = dt.time(tzinfo=dt.UTC)
        values = (
            self.within.total_seconds(),
            self.share,
            None if self.oldest is None else dt.datetime.combine(self.oldest, midnight).timestamp(),
            None if self.complete is None else self.complete.timestamp(),
            self.keeps,
            self.rate_needed,
        )
        for name, value in zip(_NAMES, values, strict=True):
            if value is not None:
                yield Measurement(name=f"coverage-{name}", subject="store", value=float(value))
