"""Which records are wanted."""

import datetime as dt

from maintainer.intervention_log.record import EndingWord, Kind, Record, write_time
from maintainer.model.values import Value


class Filter(Value):
    """What is given must match; what is not, may be anything. `since` ≤ time < `until`; `limit` keeps the newest."""

    node: str | None = None
    task: str | None = None
    subject: str | None = None
    kind: Kind | None = None
    ending: EndingWord | None = None
    run: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    limit: int | None = None

    def words(self) -> dict[str, str]:
        """List the fields that must be equal."""
        given = self.model_dump(mode="json", exclude_none=True, exclude={"since", "until", "limit"})
        return {name: str(word) for name, word in given.items()}

    def times(self) -> tuple[str | None, str | None]:
        """Write both bounds as the log writes time, so that they compare as text."""
        return (write_time(self.since) if self.since else None, write_time(self.until) if self.until else None)

    def matches(self, record: Record) -> bool:
        since, until = self.times()
        in_time = (since is None or record.time >= since) and (until is None or record.time < until)
        return in_time and all(getattr(record, name) == word for name, word in self.words().items())


ALL = Filter()
