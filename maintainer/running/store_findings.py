"""What the store check found, as the intervention log has it: what is open, since when, and who knows of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from maintainer.errors import UsageError
from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record
from maintainer.model.finding import Finding
from maintainer.model.task import Assignment
from maintainer.model.values import Name, Value
from maintainer.running.acknowledged import Acknowledgements, last_good

TASK = "dicom-integrity"
_NOT_BELIEVED = {"store-lost", "proof-failed"}
"""A look that found one of these says nothing of single objects."""

_ALL = "store"
"""The subject of what is found about a store as a whole."""


class StoreFinding(Value):
    """One cause of one subject on one node. `open`: the newest look told it; `first_told`: since it was last good."""

    node: Name
    open: bool
    first_told: datetime
    last_told: datetime
    last_good: datetime | None
    finding: Finding


class StoreLook(Value):
    """The newest look at one store that saw it. `since_then`: what a later look came to that did not; else empty."""

    node: Name
    looked_at: str
    since_then: str = ""


class Stores(Value):
    format: Literal["maintainer.store/1"] = "maintainer.store/1"
    looks: tuple[StoreLook, ...]
    findings: tuple[StoreFinding, ...]


def stores(log: InterventionLog, assignments: Sequence[Assignment]) -> Stores:
    """Read what was ever found in each store of the inventory; what is not open was repaired, or is not told now."""
    known = Acknowledgements.of(log)
    nodes = [one.node for one in assignments if one.task == TASK]
    histories = [_History(log, node, known) for node in nodes]
    return Stores(
        looks=tuple(history.look() for history in histories),
        findings=tuple(found for history in histories for found in history.findings()),
    )


def open_about(seen: Stores, name: str, node: str | None) -> tuple[StoreFinding, ...]:
    """Find what is open about one object, or about one storage of the index.

    Raises:
        UsageError: nothing is, or on more than one node and none is named.
    """
    about = tuple(one for one in seen.findings if one.open and one.finding.subject == name and node in {None, one.node})
    if not about or name == _ALL:
        hint = "`maintainer store list` shows what is; what is found about a store as a whole cannot be acknowledged"
        raise UsageError(f"nothing is found about an object or a storage {name} now", hint=hint)
    nodes = list(dict.fromkeys(one.node for one in about))
    if len(nodes) > 1:
        raise UsageError(f"{name} is a finding on {', '.join(nodes)}", hint="say which one: --node NAME")
    return about


class _History:
    def __init__(self, log: InterventionLog, node: str, known: Acknowledgements) -> None:
        self._node, self._known = node, known
        where = Filter(node=node, task=TASK)
        self._decided = list(log.records(where.model_copy(update={"kind": Kind.DECIDED})))
        self._told = list(log.records(where.model_copy(update={"kind": Kind.FINDING})))
        lost = {record.run for record in self._told if record.finding and record.finding.cause in _NOT_BELIEVED}
        seen = (one for one in reversed(self._decided) if one.reason in {"steps", "nothing"} and one.run not in lost)
        self._seen = next(seen, None)

    def look(self) -> StoreLook:
        newest = self._decided[-1] if self._decided else None
        if self._seen is None or newest is None or newest.run == self._seen.run:
            since = newest.text if newest and self._seen is None else ""
        else:
            since = newest.text or "the store was not believed: see the findings"
        return StoreLook(node=self._node, looked_at=self._seen.time if self._seen else "", since_then=since)

    def findings(self) -> Iterable[StoreFinding]:
        """Give each cause of each subject once, as it was last told."""
        by_what: dict[tuple[str, str], list[Record]] = {}
        for record in self._told:
            if record.finding is not None:
                by_what.setdefault((record.finding.cause, record.subject), []).append(record)
        # A later look that did not see the store takes back nothing, and what it found is open as well.
        newest = {one.run for one in (self._seen, *self._decided[-1:]) if one is not None}
        for records in by_what.values():
            *_, (last, finding) = ((record, record.finding) for record in records if record.finding)
            good = last_good(finding, last.at)
            yield StoreFinding(
                node=self._node,
                open=last.run in newest,
                first_told=min((one.at for one in records if good is None or one.at > good), default=last.at),
                last_told=last.at,
                last_good=good,
                finding=self._known.mark(self._node, TASK, finding, last.at),
            )
