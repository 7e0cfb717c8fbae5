"""What db-settings sees of a database and its server."""

from typing import Literal

from maintainer import sdk
from tasks.reindex_facts import Replica, Room

BLOAT, MEASURED_AT = "table-bloat", "table-measured-at"
"""By table and filenode: the share that is free or dead, and when that was measured, in seconds since 1970."""


class Setting(sdk.Seen):
    name: str
    value: str


class Named(sdk.Seen):
    schema_: str = sdk.Field(alias="schema")
    name: str

    @property
    def quoted(self) -> str:
        return sdk.quoted(self.schema_, self.name)


class Sequence(Named):
    readable: bool
    last_value: int | None = sdk.Field(description="none: it was not used yet, or may not be read")
    most: int

    @property
    def used(self) -> float:
        return (self.last_value or 0) / self.most


class Index(Named):
    bytes: int | None = sdk.Field(description="none: it was dropped while it was looked at")
    same_as: str | None
    scans: int
    counted_seconds: float


class Slot(sdk.Seen):
    name: str
    active: bool
    bytes: int | None = sdk.Field(description="none: a standby that has received nothing yet, or its WAL is lost")
    transactions: int | None = sdk.Field(None, description="how many have begun since those whose dead rows it keeps")
    wal: str | None = sdk.Field(None, description="reserved, extended, unreserved or lost; none: before PostgreSQL 13")
    because: str | None = sdk.Field(None, description="why it is of no use any more; none: it is")


class Lock(sdk.Seen):
    """Of all sessions with such a lock on the same relation, the one with the longest; nothing of what it runs."""

    granted: bool
    schema_: str | None = sdk.Field(alias="schema", description="none: not of a relation")
    name: str | None
    kind: str
    mode: str
    application: str
    seconds: float | None = sdk.Field(description="waited, or of the transaction that holds it; none: may not be seen")
    sessions: int

    @property
    def subject(self) -> str:
        return f"table {sdk.quoted(self.schema_, self.name)}" if self.schema_ and self.name else "database"


class Table(Named):
    """A table that is large enough to be judged. `changes`: rows updated or deleted since that is counted."""

    oid: int
    filenode: int
    bytes: int | None = sdk.Field(description="none: it was dropped while it was looked at")
    bytes_to_read: int | None = sdk.Field(description="to measure it")
    fillfactor: float
    estimated_bytes: float | None = sdk.Field(description="if it were written anew; none: cannot be told")
    changes: int
    rows: float

    @property
    def size(self) -> int:
        return self.bytes or 0

    @property
    def build(self) -> str:
        return build(self.quoted, self.filenode)


class Measured(Named):
    filenode: int
    bytes: int
    reusable_bytes: float

    @property
    def build(self) -> str:
        return build(self.quoted, self.filenode)


class Place(sdk.Seen):
    kind: Literal["tablespace", "wal"]
    name: str
    path: str | None = sdk.Field(description="none: the role may not know it")


class Wal(sdk.Seen):
    bytes: int
    meant_bytes: int = sdk.Field(description="what the server's settings would keep")
    archiving_fails: bool


class SettingsFacts(sdk.Facts):
    settings: tuple[Setting, ...]
    tables: tuple[Named, ...]
    sequences: tuple[Sequence, ...]
    indexes: tuple[Index, ...]
    slots: tuple[Slot, ...]
    server: tuple[sdk.DatabaseServer, ...] = sdk.Field(min_length=1, max_length=1)
    horizon: tuple[sdk.Holder, ...]
    replicas: tuple[Replica, ...]
    locks: tuple[Lock, ...]
    large: tuple[Table, ...]
    shares: dict[str, sdk.OnRecord]
    measured_at: dict[str, sdk.OnRecord]
    places: tuple[Place, ...]
    measured: tuple[Measured, ...] = sdk.Field((), description="tonight; none where pgstattuple is not to be had")
    room: dict[str, Room] = sdk.Field({}, description="by path; what cannot be told is left out")
    wal: tuple[Wal, ...] = sdk.Field((), description="none where it may not be seen")


def build(quoted: str, filenode: int) -> str:
    """Name a table as it was last written anew: what was measured before that is of no use after it."""
    return f"table {quoted}, build {filenode}"
