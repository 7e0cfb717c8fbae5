"""What the comparison of a store with its index may be told, and what it sees."""

from datetime import timedelta
from typing import Literal

from maintainer import sdk
from tasks.integrity_index import OfIndex


class IntegrityParams(sdk.Params):
    grace: sdk.Duration = sdk.Field(timedelta(days=1), description="a file younger than this may not be indexed yet")
    at_most: sdk.TimeLimit = sdk.Field(
        timedelta(minutes=30), description="stop reading after this long; the next run goes on there"
    )
    lost_share: float = sdk.Field(
        0.5, gt=0, le=1, description="from this share of missing objects on: a lost mount, not lost objects"
    )
    verify_all_within: sdk.Duration | None = sdk.Field(
        None, description="keep a ledger on the node, and read each object again within this time"
    )
    surprise_share: float = sdk.Field(
        0.01, gt=0, le=1, description="with a ledger: when more than this share changes in a night, nothing is believed"
    )
    rate: sdk.Size | None = sdk.Field(None, description="with a ledger: read at most so many bytes a second")
    pause_above: sdk.Size = sdk.Field(
        10**6, description="with a ledger: read nothing while more bytes a second move over the archive's DICOM port"
    )
    threads: int = sdk.Field(1, ge=1, le=16, description="with a ledger: read so many objects at once")


class Deviation(sdk.Seen):
    path: str
    verdict: sdk.Deviant | Literal["orphan"]
    evidence: dict[str, str | int | float | bool | None] = {}
    key: int | None = sdk.Field(None, description="in the archive's index; of an orphan there is none")


class Scan(sdk.Seen):
    store_present: bool
    checked: int
    bytes: int
    files: int
    deviations: tuple[Deviation, ...]
    unlisted: int = sdk.Field(0, description="deviations beyond those that are listed")
    reached: int | None = sdk.Field(
        description="key after which the next scan goes on; None: the whole index was checked"
    )
    files_complete: bool = True
    stopped: bool = sdk.Field(False, description="whether it was ended by a stop of the run")
    skipped: dict[str, int] = sdk.Field({}, description="what lies in the store and is no file to judge, by kind")


class Ledger(sdk.Seen):
    """What the node remembers of its store. Ages are [day since 1970, objects, bytes] of when they were last read."""

    root: str
    sealed: bool
    night: str
    seals: tuple[str, ...]
    objects: int
    bytes: int
    fresh_bytes: int
    ages: tuple[tuple[int, int, int], ...]
    clock: int = sdk.Field(0, description="seconds since 1970 by the node's clock, by which the ages are")
    verified: dict[str, int]
    deviations: tuple[Deviation, ...]
    unlisted: int
    unconfirmed: int = sdk.Field(0, description="deviations of which the index did not say yet whether it lists them")
    lost: str
    proof: tuple[str, ...]
    speed: int
    skipped: dict[str, int]
    walking: bool


class LedgerSeen(sdk.Seen):
    store_present: bool
    trouble: str
    ledger: Ledger | None
    arrived_bytes: int
    sealed_here: str = sdk.Field("", description="the root that the node told this run when it had the ledger sealed")
    silent: str = sdk.Field("", description="why the archive's index did not answer; nothing when it did")
    arrived_all: bool = sdk.Field(True, description="false when so much has arrived that it was not all counted")


class OnRecord(sdk.Seen):
    last: float


class IntegrityFacts(sdk.Facts):
    """Either a scan, or the ledger and what it takes to judge it."""

    scan: Scan | None = None
    ledger: LedgerSeen | None = None
    openings: tuple[sdk.Opening, ...] = ()
    roots: dict[str, OnRecord] = {}
    unjudged: tuple[OfIndex, ...] = ()
