"""The answers of the programs that keep a node's ledger of its store."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from maintainer.links.node_shapes import Count, Counts, Line, Path, Sha256, Word
from maintainer.model.task import Deviant
from maintainer.model.values import Value

Found = Annotated[
    tuple[Path, Deviant | Literal["orphan"], dict[Word, int | float | Word | Sha256], int | None], Field(strict=False)
]
"""Path, verdict, evidence, key in the archive's index."""
Unconfirmed = Annotated[tuple[int, Path, Deviant], Field(strict=False)]


class Verified(Value):
    """How many objects are sound, by what they were last held against."""

    archive: Count
    baseline: Count
    baselined: Count


class LedgerState(Value):
    root: Sha256
    sealed: bool
    night: Line
    seals: Annotated[list[Sha256], Field(max_length=32)]
    objects: Count
    bytes: Count
    last_key: Count
    fresh_objects: Count
    fresh_bytes: Count
    ages: list[Annotated[tuple[Count, Count, Count], Field(strict=False)]]
    clock: Count
    verified: Verified
    deviations: Annotated[list[Found], Field(max_length=200)]
    unlisted: Count
    unconfirmed: Count
    stopped: Word | Literal[""]
    lost: Line
    proof: Annotated[list[Line], Field(max_length=20)]
    speed: Count
    skipped: Counts
    walking: bool


class StoreLedgerAnswer(Value):
    store_present: bool
    trouble: Literal["", "none", "interrupted", "damaged", "older-format", "another-store", "another-format"]
    ledger: LedgerState | None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if (self.ledger is None) == (self.trouble == ""):
            raise ValueError("a ledger, or what is the trouble with it")
        return self


class StoreSums(Value):
    width: Annotated[int, Field(ge=1)]
    last_key: Count
    sums: Annotated[list[Annotated[tuple[Count, Count, Line, Count], Field(strict=False)]], Field(max_length=5001)]
    compared: Count


class StoreUnsettled(Value):
    objects: Annotated[list[Unconfirmed], Field(max_length=20_000)]
    strays: Annotated[list[Path], Field(max_length=20_000)]


class StoreLearn(Value):
    new: Count
    replaced: Count
    gone: Count
    lost: bool


class StoreReadAnswer(Value):
    stopped: Literal["nothing-left", "quota", "deadline", "surprises", "no-store", "no-proof"]
    objects: Count
    bytes: Count
    seconds: Annotated[float, Field(ge=0)]
    files: Count
    files_complete: bool
    proof: Annotated[list[Line], Field(max_length=20)]
    missing: Annotated[list[Annotated[tuple[int, Path], Field(strict=False)]], Field(max_length=1000)] = []
    pauses: Count = 0
    paused_seconds: Annotated[float, Field(ge=0)] = 0.0
    paused_because: Literal["", "images-move", "associations-open"] = ""
    adopted: Count = 0
    accepted: Count = 0


class StoreSettled(Value):
    settled: Count


class StoreSeal(Value):
    root: Sha256


STORE_SHAPES: dict[str, TypeAdapter[Any]] = {
    "store-ledger": TypeAdapter(StoreLedgerAnswer),
    "store-sums": TypeAdapter(StoreSums),
    "store-unsettled": TypeAdapter(StoreUnsettled),
    "store-learn": TypeAdapter(StoreLearn),
    "store-read": TypeAdapter(StoreReadAnswer),
    "store-settle": TypeAdapter(StoreSettled),
    "store-seal": TypeAdapter(StoreSeal),
}
