"""What a person accepted as it is: the ledger of a plain tree of files forgets how it was.

Where there is an index, that says what should be there, and nobody else has to.
"""

from collections.abc import Iterable

from maintainer.archives.register import product
from maintainer.errors import UsageError
from maintainer.model.inventory import Inventory
from maintainer.model.plan import Answer, Finding, Step, Steps, VerifyStore
from maintainer.running.store_findings import StoreFinding

_HOW_IT_WAS = {"missing", "unreadable", "size", "bit-rot", "modified"}


def check_acceptable(inventory: Inventory, about: Iterable[StoreFinding]) -> None:
    """See that a word can make an end of what is found.

    Raises:
        UsageError: an index lists the object, or it would be found again.
    """
    for one in about:
        store, name = inventory.nodes[one.node].store, one.finding.subject
        if store is None or product(store.archive).has_index:
            why = f"the archive's index on {one.node} says what {name} should be"
            raise UsageError(why, hint="leave --accept out; what the archive itself deletes or replaces is not told")
        if one.finding.cause.removeprefix("object-") not in _HOW_IT_WAS:
            why = f"{name} is not otherwise than it was: what is found of it ({one.finding.cause}) would be found again"
            raise UsageError(why, hint="leave --accept out")


def with_accepted(answer: Answer, findings: Iterable[Finding]) -> Answer:
    """Tell the reading of a store what it need not hold against it any longer."""
    known = [one.indexed_as for one in findings if one.acknowledged is not None and one.acknowledged.accepted]
    keys = tuple(key for key in known if key is not None)
    if not keys or not isinstance(answer, Steps):
        return answer
    return answer.model_copy(update={"steps": tuple(_with(step, keys) for step in answer.steps)})


def _with(step: Step, keys: tuple[int, ...]) -> Step:
    if not isinstance(step.action, VerifyStore):
        return step
    return step.model_copy(update={"action": step.action.model_copy(update={"accepted": keys})})
