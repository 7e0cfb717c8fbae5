"""From the words of the command line to a filter of the log."""

from datetime import UTC, datetime
from typing import Any

from maintainer.errors import UsageError
from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.record import Kind


def wanted(*, since: datetime | None = None, until: datetime | None = None, **words: Any) -> Filter:
    """Make a filter; moments without a zone are UTC.

    Raises:
        UsageError: there is no such kind of record.
    """
    kinds = [kind.value for kind in Kind]
    if words.get("kind") not in (None, *kinds):
        raise UsageError(f"there is no kind of record {words['kind']}", hint=f"one of {', '.join(kinds)}")
    words["kind"] = Kind(words["kind"]) if words.get("kind") else None
    return Filter(since=_utc(since), until=_utc(until), **words)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
