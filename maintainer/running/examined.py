"""One row of what `maintainer check` shows."""

from collections.abc import Iterable, Iterator
from typing import Literal

from maintainer.model.values import Name, Value
from maintainer.planning.privileges import Objection


class Examined(Value):
    """One thing that was looked at on one node.

    `warning`: it works, and somebody should know. `wrong`: a person has to mend it. `unknown`: it could not be seen.
    """

    node: Name
    what: str
    verdict: Literal["ok", "warning", "wrong", "unknown"]
    detail: str
    hint: str = ""


def objections(name: str, what: str, found: Iterable[Objection]) -> Iterator[Examined]:
    for one in found:
        yield Examined(node=name, what=what, verdict=one.verdict, detail=one.detail, hint=one.hint)
