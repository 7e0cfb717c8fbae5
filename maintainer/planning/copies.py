"""What another archive's copy of a damaged object is worth, in a word for the record and a sentence for a person."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from pydantic import JsonValue

from maintainer.model.finding import Finding

Answer = Literal["good", "sound", "unproven", "damaged", "not-read", "not-listed"]
Copy = Answer | Literal["waits", "not-asked"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
_WORTH_TELLING = 60
"""Seconds."""


class Told(NamedTuple):
    """What a partner said of its copy, and when."""

    copy: Copy
    at: datetime


def worth(indexed: Mapping[str, Any], found: Mapping[str, Any] | None) -> Copy:
    """Compare what a partner said of its copy with what the damaged object's own index lists.

    >>> here = {"algorithm": "md5", "digest": "aa"}
    >>> worth(here, {"state": "sound", **here}), worth(here, {"state": "sound", "algorithm": "md5", "digest": "bb"})
    ('good', 'sound')
    >>> worth(here, None), worth(here, {"state": "damaged", **here})
    ('not-listed', 'damaged')
    """
    if found is None:
        return "not-listed"
    state: Copy = found["state"]
    proof = [(one["algorithm"], one["digest"]) for one in (indexed, found)]
    return "good" if state == "sound" and proof[0] == proof[1] else state


def with_copies(finding: Finding, copies: Mapping[str, Told], now: datetime) -> Finding:
    """Say in a finding what each partner has, and since when that is known where it was not asked just now."""
    evidence, advice = dict(finding.evidence), [finding.advice]
    for node, (copy, at) in copies.items():
        ago, on = int((now - at).total_seconds()), f" (seen on {at:%Y-%m-%d})"
        evidence[_ON + node] = copy
        if ago >= _WORTH_TELLING:
            evidence[_ON + node + _AGO] = ago
        advice.append(_SENTENCES[copy].format(node + on * (at.date() != now.date())))
    return finding.model_copy(update={"evidence": evidence, "advice": "; ".join(advice)})


def told_in(evidence: Mapping[str, JsonValue]) -> Iterator[tuple[str, Answer, JsonValue]]:
    """Read what `with_copies` wrote: partner, answer, and how many seconds ago it was had.

    >>> list(told_in({"copy_on_b": "good", "copy_on_b_seconds_ago": 90, "copy_on_c": "waits", "size": 1}))
    [('b', 'good', 90)]
    """
    for name, copy in evidence.items():
        answer = next((word for word in ANSWERS if word == copy), None)
        if name.startswith(_ON) and answer is not None:
            yield name.removeprefix(_ON), answer, evidence.get(name + _AGO)


_ON, _AGO = "copy_on_", "_seconds_ago"


_SENTENCES: dict[Copy, str] = {
    "good": "{} has it just as the index here lists it: fetch it from there",
    "sound": "{} has a sound copy, which is not byte for byte what was stored here: compare them before you fetch it",
    "unproven": "{} has a copy of the size that it lists, and no digest to prove it by: look at it before you fetch it",
    "damaged": "{} lists it, and its copy is damaged or missing as well: do not fetch it from there",
    "not-read": "{} lists it; its copy is too large to be read for this, or was not read in time: look at it yourself",
    "waits": "{} lists it; its copy is read on one of the next nights, as more are damaged than a night asks for",
    "not-listed": "{} does not have it",
    "not-asked": "{} could not be asked for a copy",
}
