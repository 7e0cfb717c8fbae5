"""Which findings a person knows: they are told all the same, and alarm nobody."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record, number
from maintainer.model.finding import Acknowledged, Finding

_ACCEPTED = "accepted"
_LONGEST_AGO = 10**10
"""Seconds; what a node says beyond that is no date."""


class Acknowledgements:
    """What was acknowledged, by node, task, cause and subject; another cause of the same subject is not.

    What is accepted as it is holds for the content that it was said of, and no other.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._words: dict[tuple[str, str, str, str], tuple[Acknowledged, str | None]] = {}
        self._accepted: dict[tuple[str, str, str], Acknowledged] = {}
        for record in records:
            if record.finding is not None and record.finding.acknowledged is not None:
                finding, word = record.finding, record.finding.acknowledged
                self._words[record.node, record.task, finding.cause, finding.subject] = word, content(finding)
                if word.accepted:
                    self._accepted[record.node, record.task, finding.subject] = word

    @classmethod
    def of(cls, log: InterventionLog) -> Self:
        return cls(log.records(Filter(kind=Kind.ACKNOWLEDGED)))

    def mark(self, node: str, task: str, finding: Finding, seen_at: datetime) -> Finding:
        """Set the mark, or take it away. An object that was good again since is damaged anew, which nobody knows."""
        good = last_good(finding, seen_at)
        word, seen = self._words.get((node, task, finding.cause, finding.subject), (None, None))
        if word is not None and not (_was_good_since(word, good) or (word.accepted and seen != content(finding))):
            return finding.model_copy(update={"acknowledged": word})
        finding = finding.model_copy(update={"acknowledged": None}) if finding.acknowledged else finding
        accepted = self._accepted.get((node, task, finding.subject))
        if accepted is None or seen_at <= accepted.at or _was_good_since(accepted, good):
            return finding
        return _otherwise_than_accepted(finding, accepted)


def content(finding: Finding) -> str | None:
    """SHA-256 of an object's content as it was found, where the evidence tells."""
    found = finding.evidence.get("sha256")
    return found if isinstance(found, str) else None


def _was_good_since(word: Acknowledged, good: datetime | None) -> bool:
    return good is not None and good > word.at


def _otherwise_than_accepted(finding: Finding, word: Acknowledged) -> Finding:
    if _ACCEPTED in finding.evidence:
        return finding
    advice = f"what {word.who} accepted on {word.at:%Y-%m-%d} was otherwise than this is now; {finding.advice}"
    return finding.model_copy(update={"evidence": {**finding.evidence, _ACCEPTED: "otherwise"}, "advice": advice})


def last_good(finding: Finding, seen_at: datetime) -> datetime | None:
    """When the object was last found good, where the evidence tells."""
    ago = number(finding.evidence.get("last_good_seconds_ago"))
    return seen_at - timedelta(seconds=ago) if ago is not None and 0 <= ago <= _LONGEST_AGO else None
