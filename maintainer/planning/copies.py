"""What another archive's copy of a damaged object is worth, in a word for the record and a sentence for a person."""

from collections.abc import Mapping
from typing import Any, Literal

from maintainer.model.plan import Finding

Copy = Literal["good", "sound", "unproven", "damaged", "not-read", "not-listed", "not-asked"]


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


def with_copies(finding: Finding, copies: Mapping[str, Copy]) -> Finding:
    """Say in a finding what each partner has: partner → what its copy is worth."""
    evidence = {**finding.evidence, **{f"copy_on_{node}": copy for node, copy in copies.items()}}
    told = [_SENTENCES[copy].format(node) for node, copy in copies.items()]
    return finding.model_copy(update={"evidence": evidence, "advice": "; ".join([finding.advice, *told])})


_SENTENCES: dict[Copy, str] = {
    "good": "{} has it just as the index here lists it: fetch it from there",
    "sound": "{} has a sound copy, which is not byte for byte what was stored here: compare them before you fetch it",
    "unproven": "{} has a copy of the size that it lists, and no digest to prove it by: look at it before you fetch it",
    "damaged": "{} lists it, and its copy is damaged or missing as well: do not fetch it from there",
    "not-read": "{} lists it; its copy was not read, as more or larger objects are damaged than a night asks for",
    "not-listed": "{} does not have it",
    "not-asked": "{} could not be asked for a copy",
}
