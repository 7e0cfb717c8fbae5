"""Which findings a person knows: they are told all the same, and alarm nobody."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record, number
from maintainer.model.plan import Acknowledged, Finding

_LONGEST_AGO = 10**10
"""Seconds; what a node says beyond that is no date."""


class Acknowledgements:
    """What was acknowledged, by node, task, cause and subject; another cause of the same subject is not."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._words: dict[tuple[str, str, str, str], Acknowledged] = {}
        for record in records:
            if record.finding is not None and record.finding.acknowledged is not None:
                finding = record.finding
                self._words[record.node, record.task, finding.cause, finding.subject] = record.finding.acknowledged

    @classmethod
    def of(cls, log: InterventionLog) -> Self:
        return cls(log.records(Filter(kind=Kind.ACKNOWLEDGED)))

    def mark(self, node: str, task: str, finding: Finding, seen_at: datetime) -> Finding:
        """Set the mark, or take it away. An object that was good again since is damaged anew, which nobody knows."""
        word = self._words.get((node, task, finding.cause, finding.subject))
        good = last_good(finding, seen_at)
        if word is not None and good is not None and good > word.at:
            word = None
        return finding if finding.acknowledged == word else finding.model_copy(update={"acknowledged": word})


def last_good(finding: Finding, seen_at: datetime) -> datetime | None:
    """When the object was last found good, where the evidence tells."""
    ago = number(finding.evidence.get("last_good_seconds_ago"))
    return seen_at - timedelta(seconds=ago) if ago is not None and 0 <= ago <= _LONGEST_AGO else None
