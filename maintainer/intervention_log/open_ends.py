"""What the log holds open: steps whose ending nobody knows, people at work, groups that were frozen."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

from maintainer.intervention_log.record import Kind, Record


class OpenEnds(NamedTuple):
    """Records that opened something which no later record has closed, oldest first.

    `doubts`: the id of a step → the last look at it that could not tell how it ended.
    """

    intents: tuple[Record, ...] = ()
    interventions: tuple[Record, ...] = ()
    frozen: tuple[Record, ...] = ()
    doubts: Mapping[str, Record] = {}


_OPENERS = (Kind.INTENT, Kind.INTERVENTION_OPENED, Kind.GROUP_FROZEN)
_CLOSERS = (Kind.OUTCOME, Kind.RECONCILED, Kind.INTERVENTION_CLOSED, Kind.GROUP_THAWED)
PEOPLE = (Kind.INTERVENTION_OPENED, Kind.INTERVENTION_CLOSED)


class Follower:
    """Reads the log once, from its beginning, and keeps what is open."""

    def __init__(self) -> None:
        self._held: dict[tuple[Kind, str], Record] = {}
        self._doubts: dict[str, Record] = {}

    def matters(self, line: bytes) -> bool:
        """Tell cheaply whether a line may open or close something: reading it takes ten times as long."""
        return any(mark in line for mark in _OPENING) or (bool(self._held) and any(mark in line for mark in _CLOSING))

    def read(self, records: Iterable[Record]) -> Self:
        for record in records:
            self._follow(record)
        return self

    def ends(self) -> OpenEnds:
        intents, people, frozen = (tuple(r for r in self._held.values() if r.kind is kind) for kind in _OPENERS)
        doubts = {step: look for step, look in self._doubts.items() if (Kind.INTENT, step) in self._held}
        return OpenEnds(intents, people, frozen, doubts)

    def _follow(self, record: Record) -> None:
        match record.kind:
            case Kind.INTENT | Kind.INTERVENTION_OPENED | Kind.GROUP_FROZEN:
                self._held.setdefault(_key(record), record)
            case Kind.OUTCOME | Kind.RECONCILED if record.ending == "unknown":
                self._doubts |= {record.step: record} if record.kind is Kind.RECONCILED else {}
            case Kind.OUTCOME | Kind.RECONCILED | Kind.INTERVENTION_CLOSED | Kind.GROUP_THAWED:
                self._held.pop(_key(record), None)


def _key(record: Record) -> tuple[Kind, str]:
    """What a record opens or closes."""
    if record.intervention is not None:
        return Kind.INTERVENTION_OPENED, str(record.intervention.opened or record.seq)
    if record.kind in {Kind.GROUP_FROZEN, Kind.GROUP_THAWED}:
        return Kind.GROUP_FROZEN, record.subject
    return Kind.INTENT, record.step


def _marks(kinds: Iterable[Kind]) -> tuple[bytes, ...]:
    return tuple(f'"kind":"{kind}"'.encode() for kind in kinds)


_OPENING, _CLOSING = _marks(_OPENERS), _marks(_CLOSERS)
