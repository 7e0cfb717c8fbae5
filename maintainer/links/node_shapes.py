"""The answers that our own programs document.

A third party's task checks its program's answer by its own facts.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

from maintainer.model.values import Name, Value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not printable")
    return text


Count = Annotated[int, Field(ge=0)]
Line = Annotated[str, StringConstraints(max_length=1024), AfterValidator(_printable)]
Instant = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
Path = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Counts = dict[Word, Count]


class Mount(Value):
    mount_point: Line
    fs_type: Line
    read_only: bool
    holds: Annotated[list[Line], Field(max_length=1000)]
    free_bytes: Count
    total_bytes: Count


class Hello(Value):
    """The one answer that versions must understand of each other: what a later program says besides is left out."""

    model_config = ConfigDict(extra="ignore")

    hostname: Line
    machine_id_sha256: Sha256 | None
    boot_id: Line | None
    python: Line
    clock: Instant
    user: Line
    mounts: Annotated[list[Mount], Field(max_length=1000)]
    program_sha256: Sha256 | None = None
    prepared: bool = False
    outside: Annotated[list[Line], Field(max_length=1000)] = []


class ServiceState(Value):
    state: Literal["running", "stopped", "unknown"]
    pid: Annotated[int, Field(ge=1, le=2**31)] | None
    started_at: Instant | None
    detail: Line


class WatchedFile(Value):
    sha256: Sha256 | None
    bytes: Count
    problem: Literal["", "missing", "not-permitted", "not-regular", "too-large"]


class Snapshot(Value):
    kernel: Line
    boot_id: Line | None
    packages: Annotated[dict[Line, Line], Field(max_length=10_000)] | None
    services: dict[Name, ServiceState]
    files: Annotated[dict[Path, WatchedFile], Field(max_length=500)]
    free_bytes: Annotated[dict[Line, Count], Field(max_length=1000)]
    more: bool


class CleanupState(Value):
    files: Count
    bytes: Count
    oldest_age_seconds: Count
    skipped: Counts
    quarantined_files: Count
    quarantined_bytes: Count
    expired_files: Count
    expired_bytes: Count
    free_bytes: Count
    total_bytes: Count
    more: bool
    problem: Line


Verdict = Literal["missing", "unreadable", "size", "digest", "header", "executable-preamble"]
Deviation = Annotated[tuple[int | str, Verdict, dict[Word, int | float | Word]], Field(strict=False)]
"""Key, verdict, evidence: as JSON a list."""


class StoreVerify(Value):
    store_present: bool
    checked: Count
    bytes: Count
    deviations: list[Deviation]
    reached: int | str | None


class StoreList(Value):
    store_present: bool
    files: Annotated[list[Path], Field(max_length=50_000)]
    more: bool
    young: Count
    skipped: Counts


class StoreHeader(Value):
    bytes_base64: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$", max_length=400_000)]


class MountState(Value):
    mounted: bool
    empty: bool
    problem: Line


class Connections(Value):
    established: Count
    received_bytes: Count | None


class Rebooting(Value):
    boot_id: Line


Seconds = Annotated[float, Field(ge=0)]


class ServiceUp(Value):
    did: Literal["restarted", "started", "left"]
    down_seconds: Seconds | None


class Restarted(Value):
    seconds: Seconds
    services: dict[Name, ServiceUp]


class LogEnd(Value):
    size: Count
    root: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    at: Count


class LeaseToken(Value):
    token: Count
    shown: LogEnd | None = None


class LeaseReleased(Value):
    released: dict[Word, Line] | None
    running: Line | None


class LeaseHolder(Value):
    controller: Line
    run: Line
    who: Line
    since: Instant
    renewed: Instant
    age_seconds: Count


class Lease(Value):
    token: Count
    holder: LeaseHolder | None
    released: dict[Word, Line] | None


class Operation(Value):
    state: Literal["running", "finished", "vanished", "interrupted", "unknown-id"]
    program: Name | None
    launched_at: Instant | None
    started_at: Instant | None
    ended_at: Instant | None
    ok: bool | None
    answer: Any
    error: dict[Word, str] | None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.state == "finished" and (self.ok is None or (self.ok is False and self.error is None)):
            raise ValueError("finished without a verdict")
        return self


class Launched(Operation):
    launch: Literal["launched", "adopted"]


class Cancelled(Value):
    state: Line


class Quarantined(Value):
    moved_files: Count
    moved_bytes: Count
    skipped: Counts
    batch: Line | None
    more: bool


class FreeRoom(Value):
    free_bytes: Count
    total_bytes: Count
    discards: bool | None = Field(None, description="none: nobody can tell, or a program of an earlier version")


class Expired(Value):
    deleted_files: Count
    deleted_bytes: Count
    skipped: Counts
    more: bool


SHAPES: dict[str, TypeAdapter[Any]] = {
    "hello": TypeAdapter(Hello),
    "services": TypeAdapter(dict[Name, ServiceState]),
    "snapshot": TypeAdapter(Snapshot),
    "cleanup": TypeAdapter(dict[Name, CleanupState]),
    "store-verify": TypeAdapter(StoreVerify),
    "store-list": TypeAdapter(StoreList),
    "store-header": TypeAdapter(StoreHeader),
    "mounts": TypeAdapter(dict[Path, MountState]),
    "room": TypeAdapter(dict[Path, FreeRoom]),
    "connections": TypeAdapter(Connections),
    "lease": TypeAdapter(LeaseToken | LeaseReleased),
    "holder": TypeAdapter(Lease),
    "launch": TypeAdapter(Launched),
    "operation": TypeAdapter(Operation),
    "cancel": TypeAdapter(Cancelled),
    "restart": TypeAdapter(Restarted),
    "reboot": TypeAdapter(Rebooting),
    "quarantine": TypeAdapter(Quarantined),
    "expire": TypeAdapter(Expired),
}
