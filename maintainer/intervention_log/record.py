"""One line of the intervention log: what it may hold, and nothing else.

No patient data and no secret can enter, because a record has these fields only, each bounded. A text that is too long
is cut and ends in `…`: an unattended run must not fail because a server's error message was long.
"""

import datetime as dt
import math
import unicodedata
from enum import StrEnum
from typing import Annotated, Literal, Self, TypedDict

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints, ValidationError
from pydantic_core import to_json

from maintainer.errors import LogError
from maintainer.model.finding import Finding
from maintainer.model.plan import Risk
from maintainer.model.values import Value

EndingWord = Literal["done", "failed", "unknown", "not-run"]
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Time = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]

SHORT, LINE, PARAGRAPH, PAGE = 200, 400, 2_000, 4_000
"""Bounds in characters. At 4 bytes each, all fields together stay below the 64 kB of a record."""
ITEMS, DEPTH, TREE_BYTES = 50, 4, 8_000


class Kind(StrEnum):
    """What a record tells."""

    RUN_OPENED = "run-opened"
    DECIDED = "decided"
    INTENT = "intent"
    OUTCOME = "outcome"
    FINDING = "finding"
    MEASURED = "measured"
    RECONCILED = "reconciled"
    MISSED = "missed"
    NOTE = "note"
    INTERVENTION_OPENED = "intervention-opened"
    INTERVENTION_CLOSED = "intervention-closed"
    GROUP_FROZEN = "group-frozen"
    GROUP_THAWED = "group-thawed"
    ACKNOWLEDGED = "acknowledged"
    CHECKPOINT = "checkpoint"
    TORN = "torn"
    RUN_CLOSED = "run-closed"


def printable(text: str) -> str:
    """Replace what could make a terminal, or a reader, see something else: controls, bidi marks, surrogates.

    >>> printable("a" + chr(27) + "[2Jb")
    'a\N{REPLACEMENT CHARACTER}[2Jb'
    """
    hidden = {"Cc", "Cf", "Cs"}
    return "".join("\ufffd" if c not in "\n\t" and unicodedata.category(c) in hidden else c for c in text)


def clip(text: str, limit: int) -> str:
    """Cut a text to `limit` characters, the last one being `…` when something is missing.

    >>> clip("a long message", 7)
    'a long…'
    """
    if len(text) <= limit:
        return text if text.isprintable() else printable(text)
    return printable(text[: limit - 1] + "…")


def _scalar(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return clip(value, LINE)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has neither NaN nor Infinity
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return f"an integer of {value.bit_length()} bits"
    return value


_NESTED = (list, tuple, dict)


def _tree(value: JsonValue, depth: int = 0) -> JsonValue:
    if not isinstance(value, _NESTED):
        return _scalar(value)
    if depth == DEPTH:
        return "…"
    more = len(value) - ITEMS
    if isinstance(value, dict):
        kept = {clip(str(k), SHORT): _tree(v, depth + 1) for k, v in list(value.items())[:ITEMS]}
        return kept | {"…": f"{more} more"} if more > 0 else kept
    items = [_tree(v, depth + 1) for v in value[:ITEMS]]
    return [*items, f"… {more} more"] if more > 0 else items


def bounded(measured: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Make numbers and words small enough for one record, saying what was left out.

    >>> bounded({"ratio": float("inf"), "rows": 3})
    {'ratio': 'inf', 'rows': 3}
    """
    small = _tree(measured)
    length = len(to_json(small))
    if not isinstance(small, dict) or length > TREE_BYTES:
        return {"left_out": f"{length} bytes: too much for one record"}
    return small


def _public(given: Finding | dict[str, JsonValue]) -> Finding:
    finding = given if isinstance(given, Finding) else Finding.model_validate(given, strict=False)
    if finding.private:
        raise ValueError("a finding about a patient's object enters the log under a pseudonym only")
    known = finding.acknowledged
    if known is not None:
        known = known.model_copy(update={"who": clip(known.who, SHORT), "why": clip(known.why, LINE)})
    small = {
        "acknowledged": known,
        "subject": clip(finding.subject, LINE),
        "advice": clip(finding.advice, PARAGRAPH // 2),
        "evidence": bounded(finding.evidence),
    }
    return finding.model_copy(update=small)


def number(value: JsonValue) -> float | None:
    """Read a measured value as a number; None when it is a word or a yes."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


Short = Annotated[str, BeforeValidator(lambda text: clip(text, SHORT))]
Line = Annotated[str, BeforeValidator(lambda text: clip(text, LINE))]
Paragraph = Annotated[str, BeforeValidator(lambda text: clip(text, PARAGRAPH))]
Page = Annotated[str, BeforeValidator(lambda text: clip(text, PAGE))]


class Intervention(Value):
    """A person's work on a node, while which the agent keeps off it. `opened` is the number of the opening record."""

    who: Short
    company: Short
    place: Literal["on-site", "remote"]
    scope: Line
    until: Time
    opened: int = Field(0, description="0 in the opening record itself")
    note: Line = Field("", description="what was said when it was closed")

    @property
    def ends(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.until)


class Fields(TypedDict, total=False):
    """What a caller may say; the log itself adds seq, prev, time, origin and hash."""

    actor: str
    node: str
    task: str
    subject: str
    step: str
    title: str
    risk: Risk
    plan: str
    window: str
    ending: EndingWord
    reason: str
    error: str
    measured: dict[str, JsonValue]
    finding: Finding
    intervention: Intervention
    text: str


class Record(Value):
    """One record. Fields that were not given are left out of its line."""

    seq: int = Field(ge=1, description="1 for the first record, so it is also the number of its line")
    prev: Hex = Field(description="hash of the record before; zeros in the first")
    time: Time
    origin: Short
    run: Short = ""
    kind: Kind = Field(strict=False)
    actor: Short = Field("", description="who did it: the agent, or the person who wrote a note")
    node: Short = ""
    task: Short = ""
    subject: Line = ""
    step: Short = Field("", description="the intent's id; its outcome carries the same")
    title: Line = ""
    risk: Risk | None = Field(None, strict=False)
    plan: Short = Field("", description="digest of the plan that was carried out")
    window: Short = ""
    ending: EndingWord | None = None
    reason: Short = Field("", description="why a step was not run, or what kind of decision this was")
    error: Paragraph = ""
    measured: Annotated[dict[str, JsonValue], BeforeValidator(bounded)] = Field(default_factory=dict)
    finding: Annotated[Finding, BeforeValidator(_public)] | None = None
    intervention: Intervention | None = None
    text: Page = ""
    hash: str = Field("", description="SHA-256 that seals the line; empty until it is written")

    @property
    def at(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.time)

    def body(self) -> bytes:
        """Write the line as far as its seal: JSON without the closing brace."""
        return self.__pydantic_serializer__.to_json(self, exclude_defaults=True, exclude={"hash"})[:-1]

    def sealed(self, digest: str) -> Self:
        """Say by what it is sealed; for the log alone, before anybody else has seen the record."""
        object.__setattr__(self, "hash", digest)
        return self


def read_record(line: bytes) -> Record:
    """Read a line that the chain has vouched for.

    Raises:
        LogError: it was written by a later version, or is not a record.
    """
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        raise LogError(
            "this record cannot be read by this version of maintainer",
            where=clip(line.decode("utf-8", "replace"), SHORT),
            hint="if a later version wrote it, use that one to read the log",
        ) from error


def write_time(moment: dt.datetime) -> str:
    """Write an instant in UTC, always to the microsecond, so that text order is time order.

    >>> write_time(dt.datetime(2024, 3, 1, 22, tzinfo=dt.UTC))
    '2024-03-01T22:00:00.000000Z'
    """
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
