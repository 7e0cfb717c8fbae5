"""What a node's program may answer. A node is not believed: every answer is checked before anything uses it."""

import json
import math
import re
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from maintainer.model.values import Name, Value

FORMAT = "maintainer.node/1"
MAX_BYTES = 8_000_000
_MAX_DEPTH = 32
_MAX_DIGITS = 18
_MAX_SENTENCE = 500
TROUBLES = ("refused", "bad-request", "failed", "deadline", "held")


class Trouble(Exception):
    """The node's sentence why there is no answer."""

    def __init__(self, word: str, what: str, hint: str) -> None:
        super().__init__(what)
        self.word, self.what, self.hint = word, what, hint


def parse(raw: bytes, program: str) -> JsonValue:
    """Give the answer that the envelope holds.

    Raises:
        Trouble: the envelope holds a sentence instead.
        ValueError: it is no envelope of ours, or what it holds is not what the program documents; says so in a few
            words that hold nothing of it.
    """
    if not raw:
        raise ValueError("there was no output")
    if len(raw) > MAX_BYTES:
        raise ValueError("it is larger than 8 MB")
    fields = _load(raw)
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ValueError(_foreign(fields.get("format") if isinstance(fields, dict) else None))
    if fields.get("ok") is True and fields.keys() == {"format", "ok", "answer"}:
        return _checked(fields["answer"], program)
    if fields.get("ok") is False and fields.keys() == {"format", "ok", "error"}:
        raise _trouble(fields["error"])
    raise ValueError("it is not of the expected format")


def verdict(operation: dict[str, Any], program: str) -> JsonValue:
    """Give what a finished operation answered, as if it had just been asked.

    Raises:
        Trouble: it ended in a sentence instead.
        ValueError: what it left is not what the program documents.
    """
    if operation["ok"]:
        return _checked(operation["answer"], program)
    raise _trouble(operation["error"])


def _foreign(name: Any) -> str:
    """Say of what format it is, where another version of our own program gave it.

    >>> _foreign("maintainer.node/7"), _foreign("something else")
    ('it is of format maintainer.node/7, and this version reads maintainer.node/1', 'it is not of the expected format')
    """
    if isinstance(name, str) and re.fullmatch(r"maintainer\.node/[0-9]{1,4}", name):
        return f"it is of format {name}, and this version reads {FORMAT}"
    return "it is not of the expected format"


def _load(raw: bytes) -> Any:
    try:
        value = json.loads(raw.decode("ascii"), parse_int=_whole, parse_float=_finite, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates fit into JSON but into no file or terminal
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if _depth(value) > _MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    return value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= _MAX_DEPTH:
        depth += 1
        containers = (item for item in level if isinstance(item, dict | list))
        level = [below for item in containers for below in (item.values() if isinstance(item, dict) else item)]
    return depth


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError
    return int(digits)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError
    return number


def _no_constant(word: str) -> float:
    raise ValueError(word)


def _trouble(error: Any) -> Trouble:
    words = ("class", "what", "hint")
    if not isinstance(error, dict) or error.keys() != set(words) or not all(isinstance(error[w], str) for w in words):
        raise ValueError("it is not of the expected format")
    if error["class"] not in TROUBLES:
        raise ValueError("it is not of the expected format")
    return Trouble(*("".join(c for c in error[word][:_MAX_SENTENCE] if c.isprintable()) for word in words))


def _checked(answer: Any, program: str) -> JsonValue:
    shape = _SHAPES.get(program)
    try:
        if shape:
            shape.validate_python(answer)
    except ValidationError as error:
        places = sorted({str(place) for problem in error.errors() for place in problem["loc"][-1:]})
        raise ValueError(f"{program} answered what it does not document ({', '.join(places)[:100]})") from None
    return cast(JsonValue, answer)


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


class ServiceDone(Value):
    seconds: Annotated[float, Field(ge=0)]
    state: Literal["running", "stopped"]


class LeaseToken(Value):
    token: Count


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


class Launched(Value):
    launch: Literal["launched", "adopted"]


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


class Cancelled(Value):
    state: Line


class Quarantined(Value):
    moved_files: Count
    moved_bytes: Count
    skipped: Counts
    batch: Line | None
    more: bool


class Expired(Value):
    deleted_files: Count
    deleted_bytes: Count
    skipped: Counts
    more: bool


_SHAPES: dict[str, TypeAdapter[Any]] = {
    "hello": TypeAdapter(Hello),
    "services": TypeAdapter(dict[Name, ServiceState]),
    "snapshot": TypeAdapter(Snapshot),
    "cleanup": TypeAdapter(dict[Name, CleanupState]),
    "store-verify": TypeAdapter(StoreVerify),
    "store-list": TypeAdapter(StoreList),
    "store-header": TypeAdapter(StoreHeader),
    "mounts": TypeAdapter(dict[Path, MountState]),
    "connections": TypeAdapter(Connections),
    "lease": TypeAdapter(LeaseToken | LeaseReleased),
    "holder": TypeAdapter(Lease),
    "launch": TypeAdapter(Launched),
    "operation": TypeAdapter(Operation),
    "cancel": TypeAdapter(Cancelled),
    "service": TypeAdapter(ServiceDone),
    "reboot": TypeAdapter(Rebooting),
    "quarantine": TypeAdapter(Quarantined),
    "expire": TypeAdapter(Expired),
}
"""What our own programs document; a third party's task checks its program's answer by its own facts."""
