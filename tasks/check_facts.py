"""What db-check sees of a database, and what is on record of earlier checks."""

import datetime as dt
from functools import cached_property
from typing import Literal, NamedTuple

from maintainer import sdk
from tasks.reindex_facts import ROOM, Room

TOAST = '"pg_toast".'
HEAP_SINCE = 140000
"""From this version on tables can be checked."""
Record = dict[str, sdk.OnRecord]


class Relation(NamedTuple):
    """One of perhaps fifty thousand, so that it must be small. Names are quoted, with their schema.

    `oid`: only of a TOAST table and its index. `rebuilds`: bytes of an index that the role may rebuild concurrently.
    `bytes`: to be read; of an index with its table, of a table with its TOAST table. None: somebody has it to himself.
    `table`: of an index.
    """

    quoted: str
    oid: int | None
    bytes: int | None
    rebuilds: int | None
    table: str | None

    @property
    def kind(self) -> Literal["table", "index"]:
        return "index" if self.table else "table"

    @property
    def subject(self) -> str:
        return f"index {self.quoted}" if self.table else f"table {self.quoted}"

    @property
    def regclass(self) -> str:
        """Say which it is. Into the schema of TOAST tables only superusers may look by name."""
        return f"{self.oid}::oid::regclass" if self.quoted.startswith(TOAST) else f"{_text(self.quoted)}::regclass"

    @property
    def table_subject(self) -> str:
        return f"table {self.table}"

    @property
    def size(self) -> int:
        return self.bytes or 0


class Function(sdk.Seen):
    schema_: str = sdk.Field(alias="schema")
    name: str
    permitted: bool


class Checksums(sdk.Seen):
    name: str | None = sdk.Field(description="of the database; none: of what all databases share")
    failures: int | None = sdk.Field(description="none: data checksums are off")
    last_failure: str | None


class Drift(sdk.Seen):
    collation: str
    recorded: str | None
    actual: str | None
    schema_: str = sdk.Field(alias="schema")
    index: str

    @property
    def subject(self) -> str:
        return f"index {sdk.quoted(self.schema_, self.index)}"


class Place(sdk.Seen):
    """Where indexes lie."""

    path: str | None = sdk.Field(description="none: the role may not know it")


class CheckFacts(sdk.Facts):
    relations: tuple[Relation, ...]
    functions: tuple[Function, ...]
    checksums: tuple[Checksums, ...]
    collations: tuple[Drift, ...]
    default_collation: tuple[Drift, ...]
    horizon: tuple[sdk.Holder, ...]
    openings: tuple[sdk.Opening, ...]
    server: tuple[sdk.DatabaseServer, ...] = sdk.Field(min_length=1, max_length=1)
    damage: Record = sdk.Field(description="of those that are damaged; the others were sound when they were checked")
    checked_at: Record
    tried_at: Record = {}
    places: tuple[Place, ...] | None = sdk.Field(None, description="asked before a rebuild")
    room: dict[str, Room] = sdk.Field({}, description="by place; asked before a rebuild, less what cannot be told")

    @cached_property
    def readable(self) -> list[Relation]:
        """Those that nobody has to himself."""
        return [one for one in self.relations if one.bytes is not None]

    @cached_property
    def drifting(self) -> frozenset[str]:
        """Indexes that an update of the system may have spoiled."""
        return frozenset(one.subject for one in self.drift)

    @cached_property
    def suspects(self) -> dict[str, float]:
        """Tables of indexes that are damaged: by when that was found."""
        broken = [one for one in self.relations if one.kind == "index" and self.is_damaged(one.subject)]
        return {one.table_subject: self.last_check(one.subject) for one in broken}

    @property
    def drift(self) -> tuple[Drift, ...]:
        return (*self.collations, *self.default_collation)

    def damage_of(self, subject: str) -> sdk.Damage | None:
        """What the last check that told anything found; None: there was none."""
        if known := self.damage.get(subject):
            return sdk.Damage(int(known.last))
        return sdk.Damage.NONE if self.last_check(subject) else None

    def is_damaged(self, subject: str) -> bool:
        damage = self.damage_of(subject)
        return damage is not None and damage > sdk.Damage.NONE

    def last_check(self, subject: str) -> float:
        """When it was checked, in seconds since 1970; 0: never."""
        known = self.checked_at.get(subject)
        return known.last if known else 0.0

    def last_turn(self, subject: str) -> float:
        """When it was checked, or a check was tried that told nothing."""
        tried = self.tried_at.get(subject)
        return max(self.last_check(subject), tried.last if tried else 0.0)

    def told_nothing(self, subject: str) -> bool:
        """Whether the last check that was tried did not tell how it is."""
        return self.last_turn(subject) > self.last_check(subject)

    def age(self, subject: str) -> dt.timedelta:
        """Since when it was not checked; of one that never was, since 1970."""
        return self._since(self.last_check(subject))

    def rested(self, subject: str) -> dt.timedelta:
        """Since when no check of it was tried."""
        return self._since(self.last_turn(subject))

    def _since(self, moment: float) -> dt.timedelta:
        return dt.timedelta(seconds=max(0.0, self.observed_at.timestamp() - moment))

    @cached_property
    def tonight(self) -> float:
        """When the opening began in which this is asked; else now, for the one that comes."""
        now = self.observed_at.timestamp()
        return min([now, *(one.opens.timestamp() for one in self.openings[:1])])

    @cached_property
    def half_a_window(self) -> dt.timedelta:
        """Of the longest opening: what takes longer by its size would never be begun."""
        return max((one.closes - one.opens for one in self.openings), default=dt.timedelta.max) / 2

    @cached_property
    def functions_by_name(self) -> dict[str, str]:
        """What may be called, as SQL wants it."""
        return {one.name: sdk.quoted(one.schema_, one.name) for one in self.functions if one.permitted}

    def can_check(self, relation: Relation) -> bool:
        return ("bt_index_check" if relation.table else "verify_heapam") in self.functions_by_name

    def statement(self, relation: Relation) -> str:
        """What fails when the relation is damaged; empty where nothing can check it."""
        if relation.kind == "index":
            function = self.functions_by_name.get("bt_index_check")
            # heapallindexed: a flipped bit within an index entry is found by comparing with the table only.
            return f"SELECT {function}({relation.regclass}, true)" if function else ""
        function = self.functions_by_name.get("verify_heapam")
        tag = _tag(relation.quoted)
        return _DO.format(tag=tag, function=function, regclass=relation.regclass) if function else ""

    def table_is_sound(self, index: Relation) -> bool:
        """Whether its table was checked and sound after the index was found damaged, or nothing can check tables."""
        if self.server[0].version < HEAP_SINCE:
            return True
        later = self.last_check(index.table_subject) >= self.last_check(index.subject)
        return later and self.damage_of(index.table_subject) is sdk.Damage.NONE

    def lacks_room(self, index: Relation) -> bool:
        """Whether a rebuild may fill one of the places where indexes lie."""
        return any(place.free_bytes < ROOM * (index.rebuilds or 0) for place in self.room.values())


def _text(name: str) -> str:
    """Write a text as SQL wants it, whatever its backslashes mean.

    >>> _text("a'b")
    "'a''b'"
    """
    quoted = name.replace("'", "''")
    return f"'{quoted}'" if "\\" not in name else "E'" + quoted.replace("\\", "\\\\") + "'"


def _tag(name: str) -> str:
    """Find a dollar quote that the name does not hold.

    >>> _tag("a"), _tag("a $check$")
    ('$check$', '$check_$')
    """
    tag = "$check$"
    while tag in name:
        tag = f"{tag[:-1]}_$"
    return tag


# verify_heapam answers rows where bt_index_check fails; the code is the one that an unreadable page has.
_DO = (
    "DO {tag} BEGIN IF EXISTS (SELECT FROM {function}({regclass}, on_error_stop => true, check_toast => true))"
    " THEN RAISE EXCEPTION USING ERRCODE = 'data_corrupted'; END IF; END {tag}"
)
