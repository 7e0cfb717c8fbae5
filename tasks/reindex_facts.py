"""What db-reindex sees of a database, and the numbers that it keeps on record about it."""

import re
from functools import cached_property
from typing import Literal, NamedTuple

from maintainer import sdk

FULL = 0.9
"""How full the leaf pages of a new B-tree are. Source: PostgreSQL manual, CREATE INDEX, "fillfactor"."""
ROOM = 3
"""Times its size that a rebuild takes: the new index, what is sorted for it, and its WAL."""
STALE = 0.1
"""From this share of changed rows, what the server believes of an index's rows is not relied on."""
RATIO = "bytes-per-row"
"""By index and filenode: each build has a history of its own, whoever built it."""
BUILD, BYTES = "build-to-replace", "bytes-to-replace"
"""What a rebuild was meant to replace, put on record when it is planned; `BYTES` is 0 when it was seen to be done."""
DENSITY, MEASURED_BUILD, MEASURED_ROWS, MEASURED_AT = "leaf-density", "measured-build", "measured-rows", "measured-at"
"""How full an index's leaf pages were, of which build, with how many rows and when, in seconds since 1970."""
BUILT_FULL = "built-full"
"""Beside `DENSITY`, where the index's definition says how full a new build's pages are."""
GAIN, GAIN_SHARE = "reclaimed-bytes", "reclaimed-share"
WORTH_IT = 0.1
"""A rebuild that gave back less is not repeated because of growth: its rows have become wider."""
LEFTOVER = "leftover"
"""By index: the number under which the server knows it when it is ours, else the negative of that."""


AS_BUILD = ", build "


class Index(NamedTuple):
    """One of perhaps five thousand, so that it must be small.

    `method`: btree, gin, … `fillfactor`: how full its definition has the pages of a new build.
    `bytes`: none where it was dropped while it was looked at. `rows`: estimate of the last ANALYZE or VACUUM; -1 when
    there was none. `changed_rows`: of its table, since then. `in_work`: not valid, and somebody builds one on its table
    or has it locked.
    """

    schema: str
    name: str
    table: str
    oid: int
    filenode: int
    method: str
    fillfactor: float | None
    bytes: int | None
    rows: float
    changed_rows: int
    valid: bool
    place: str | None
    owned: bool
    permitted: bool
    in_work: bool

    @property
    def quoted(self) -> str:
        return sdk.quoted(self.schema, self.name)

    @property
    def subject(self) -> str:
        return f"index {self.quoted}"

    @property
    def build(self) -> str:
        return f"{self.subject}{AS_BUILD}{self.filenode}"

    @property
    def size(self) -> int:
        return self.bytes or 0

    @property
    def bytes_per_row(self) -> float | None:
        return self.size / self.rows if self.rows > 0 else None

    @property
    def is_stale(self) -> bool:
        return self.changed_rows > STALE * max(self.rows, 1)

    @property
    def built_full(self) -> float:
        """How full the leaf pages of a new build would be."""
        return self.fillfactor or FULL

    @property
    def kind(self) -> Literal["new", "old", "other"]:
        return _kind(self.name)

    @property
    def original(self) -> str:
        """Subject of the index beside which it was built; PostgreSQL shortens a name that would become too long."""
        return f"index {sdk.quoted(self.schema, re.sub(_LEFT, '', self.name))}"


class Density(NamedTuple):
    schema: str
    name: str
    leaf_density: float


class Replica(sdk.Seen):
    kind: Literal["standby", "slot"]
    name: str
    behind_bytes: float | None


class Room(sdk.Seen):
    free_bytes: int
    total_bytes: int
    discards: bool | None = sdk.Field(None, description="the disk is told at once of each file that goes")


Record = dict[str, sdk.OnRecord]


class ReindexFacts(sdk.Facts):
    indexes: tuple[Index, ...]
    server: tuple[sdk.DatabaseServer, ...] = sdk.Field(min_length=1, max_length=1)
    density: tuple[Density, ...] | None = sdk.Field(
        None, description="none while nothing was measured, empty where pgstattuple is not to be had"
    )
    horizon: tuple[sdk.Holder, ...]
    replicas: tuple[Replica, ...]
    room: dict[str, Room] = sdk.Field({}, description="by place; asked when something is due, less what cannot be told")
    ratios: Record
    builds: Record
    sizes: Record
    gains: Record
    leftovers: Record
    densities: Record
    measured_builds: Record
    measured_rows: Record
    measured_at: Record

    def leaf_density(self, index: Index) -> float | None:
        """How full an index's leaf pages are, by this look or by what is on record and stands; None: not measured."""
        now = self.measured_now(index)
        known = self.densities.get(index.subject) if now is None and self.stands(index) else None
        return known.last if known else now

    def measured_now(self, index: Index) -> float | None:
        known = self._measured_now.get((index.schema, index.name))
        return known.leaf_density if known else None

    def stands(self, index: Index) -> bool:
        """Tell whether what was measured of it still holds, as far as the server counts."""
        build, rows = self.measured_builds.get(index.subject), self.measured_rows.get(index.subject)
        return bool(build and rows and build.last == index.filenode and rows.last == index.rows >= 0)

    @cached_property
    def _measured_now(self) -> dict[tuple[str, str], Density]:
        return {(one.schema, one.name): one for one in self.density or ()}

    def lacks_room(self, index: Index) -> bool:
        room = self.room.get(index.place or "")
        return room is not None and room.free_bytes < ROOM * index.size

    def is_discarded(self, index: Index) -> bool:
        """Tell whether its old files will be discarded on the disk at the moment when they go."""
        room = self.room.get(index.place or "")
        return bool(room and room.discards)

    def best_ratio(self, index: Index) -> float | None:
        """Least bytes per row that this build of the index is known to have taken."""
        known = self.ratios.get(index.build)
        return known.least if known else None

    def replaced(self, subject: str) -> sdk.OnRecord | None:
        """The build that a planned rebuild was meant to replace, while it was not yet seen to be done."""
        size = self.sizes.get(subject)
        return self.builds.get(subject) if size and size.last > 0 else None


def build_of(mark: sdk.Mark) -> tuple[str, float]:
    """Which index, and which build of it, was put on record: as `Index.build`, or beside `DENSITY`; 0: not told.

    >>> import datetime as dt
    >>> now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    >>> [build_of(sdk.Mark(*one)) for one in (("i, build 7", now, {RATIO: 20.0}), ("i", now, {MEASURED_BUILD: 7}))]
    [('i', 7.0), ('i', 7.0)]
    """
    if MEASURED_BUILD in mark.values:
        return mark.subject, float(mark.values[MEASURED_BUILD])
    subject, found, build = mark.subject.rpartition(AS_BUILD)
    return (subject, float(build)) if found and build.isdigit() else (mark.subject, 0.0)


def _kind(name: str) -> Literal["new", "old", "other"]:
    """Tell what kind of leftover a name is; PostgreSQL adds a number when the name is taken.

    >>> _kind("x_ccnew1"), _kind("x_ccold"), _kind("x")
    ('new', 'old', 'other')
    """
    match = _LEFT.search(name)
    return "other" if match is None else "new" if match[1] == "new" else "old"


_LEFT = re.compile(r"_cc(new|old)\d*$")
