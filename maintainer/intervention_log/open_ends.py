"""What the log holds open: steps whose ending nobody knows, people at work, groups that were frozen."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from maintainer.intervention_log.record import Kind, Record, read_record

Fields = dict[str, Any]


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
    """Reads the log once, from its beginning, and keeps what is open.

    It follows lines as plain JSON: only the few that are open in the end are worth being checked as records.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[Kind, str], Fields] = {}
        self._doubts: dict[str, Fields] = {}

    def read_lines(self, lines: Iterable[bytes]) -> Self:
        for line in lines:
            if any(mark in line for mark in _OPENING) or (self._held and any(mark in line for mark in _CLOSING)):
                self._follow(json.loads(line))
        return self

    def read(self, records: Iterable[Record]) -> Self:
        for record in records:
            self._follow(record.model_dump(mode="json", exclude_defaults=True))
        return self

    def ends(self) -> OpenEnds:
        """Give what is open now.

        Raises:
            LogError: a later version wrote it.
        """
        held = [_record(fields) for fields in self._held.values()]
        intents, people, frozen = (tuple(one for one in held if one.kind is kind) for kind in _OPENERS)
        steps = {intent.step for intent in intents}
        doubts = {step: _record(look) for step, look in self._doubts.items() if step in steps}
        return OpenEnds(intents, people, frozen, doubts)

    def _follow(self, fields: Fields) -> None:
        kind = fields.get("kind")
        if kind in _OPENERS:
            self._held.setdefault(_key(fields), fields)
        elif kind in {Kind.OUTCOME, Kind.RECONCILED} and fields.get("ending") == "unknown":
            self._doubts |= {fields["step"]: fields} if kind == Kind.RECONCILED else {}
        elif kind in _CLOSERS:
            self._held.pop(_key(fields), None)


def _key(fields: Fields) -> tuple[Kind, str]:
    """What a record opens or closes."""
    match fields["kind"]:
        case Kind.INTERVENTION_OPENED:
            return Kind.INTERVENTION_OPENED, str(fields["seq"])
        case Kind.INTERVENTION_CLOSED:
            return Kind.INTERVENTION_OPENED, str(fields["intervention"]["opened"])
        case Kind.GROUP_FROZEN | Kind.GROUP_THAWED:
            return Kind.GROUP_FROZEN, fields.get("subject", "")
        case _:
            return Kind.INTENT, fields.get("step", "")


def _record(fields: Fields) -> Record:
    return read_record(json.dumps(fields).encode())


def _marks(kinds: Iterable[Kind]) -> tuple[bytes, ...]:
    return tuple(f'"kind":"{kind}"'.encode() for kind in kinds)


_OPENING, _CLOSING = _marks(_OPENERS), _marks(_CLOSERS)
