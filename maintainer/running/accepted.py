"""What a person accepted as it is: the ledger of a plain tree of files takes just that for what it should be.

Where there is an index, that says what should be there, and nobody else has to.
"""

from collections.abc import Iterable, Iterator

from maintainer.archives.register import product
from maintainer.errors import UsageError
from maintainer.model.action import AsFound, VerifyStore
from maintainer.model.finding import Finding
from maintainer.model.inventory import Inventory
from maintainer.model.plan import Answer, Step, Steps
from maintainer.running.acknowledged import content
from maintainer.running.store_findings import StoreFinding

_MISSING = "missing"
_ACCEPTABLE = {_MISSING, "size", "bit-rot", "modified"}


def check_acceptable(inventory: Inventory, about: Iterable[StoreFinding]) -> None:
    """See that a word can make an end of what is found.

    Raises:
        UsageError: an index lists the object, or it would be found again, or nobody saw yet what it has become.
    """
    for one in about:
        store, name = inventory.nodes[one.node].store, one.finding.subject
        if store is None or product(store.archive).has_index:
            why = f"the archive's index on {one.node} says what {name} should be"
            raise UsageError(why, hint="leave --accept out; what the archive itself deletes or replaces is not told")
        verdict = _verdict(one.finding)
        if verdict not in _ACCEPTABLE:
            why = f"{name} is not otherwise than it was: what is found of it ({one.finding.cause}) would be found again"
            why = f"nobody could read what {name} has become" if verdict == "unreadable" else why
            raise UsageError(why, hint="leave --accept out")
        if verdict != _MISSING and content(one.finding) is None:
            hint = "accept it after the next night, which tells the SHA-256 of its content"
            raise UsageError(f"which content {name} has was not told yet", hint=hint)


def with_accepted(answer: Answer, findings: Iterable[Finding]) -> Answer:
    """Tell the reading of a store what it need not hold against it any longer, as long as it is what was seen."""
    words = tuple(_words(findings))
    if not words or not isinstance(answer, Steps):
        return answer
    return answer.model_copy(update={"steps": tuple(_with(step, words) for step in answer.steps)})


def _words(findings: Iterable[Finding]) -> Iterator[AsFound]:
    for one in findings:
        word, verdict = one.acknowledged, _verdict(one)
        if one.indexed_as is not None and word is not None and word.accepted and verdict in _ACCEPTABLE:
            yield AsFound(key=one.indexed_as, verdict=verdict, sha256=content(one))


def _verdict(finding: Finding) -> str:
    return finding.cause.removeprefix("object-")


def _with(step: Step, words: tuple[AsFound, ...]) -> Step:
    if not isinstance(step.action, VerifyStore):
        return step
    return step.model_copy(update={"action": step.action.model_copy(update={"accepted": words})})
