"""The words and numbers an inventory is written in: names, paths, durations, sizes."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator as Checked
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_SIZE = re.compile(r"([0-9]{1,9}) ?(B|kB|MB|GB|TB)")


class Value(BaseModel):
    """A frozen, strict value: an unknown field is a mistake, and nothing is guessed into another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True)
class Called:
    """Names a type in a sysadmin's words: whatever is wrong with a value, the one error says what it should be."""

    what: str
    rule: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"description": self.rule} | handler(schema)

    def _checked(self, given: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(given)
        except ValidationError as error:
            inner = error.errors(include_url=False, include_input=False)[0]["type"]
            context = {"what": self.what, "rule": self.rule, "inner": inner}
            raise PydanticCustomError("called", "not {what}: {rule}", context) from None


def parse_duration(text: Any) -> timedelta:
    """Read `90s`, `15m`, `12h`, `7d` or `2w`.

    >>> parse_duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a duration is a whole number and a unit: 90s, 15m, 12h, 7d or 2w")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def write_duration(value: timedelta) -> str:
    """Write a duration in its largest whole unit; what is below a second is dropped.

    >>> write_duration(timedelta(hours=36)), write_duration(timedelta(0))
    ('36h', '0s')
    """
    seconds = int(value.total_seconds())
    unit = next((u for u in ("w", "d", "h", "m") if seconds and seconds % _UNITS[u] == 0), "s")
    return f"{seconds // _UNITS[unit]}{unit}"


def about(seconds: float) -> str:
    """Write how long something took or will take, as exactly as anybody wants to know.

    >>> about(0.16), about(75.26), about(5400)
    ('0.2 s', '75.3 s', '90 min')
    """
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 (what fits is told in seconds)


def parse_size(text: Any) -> int:
    """Read `500MB` or `2 GB`: decimal units, as disks are sold and `df -H` prints them.

    >>> parse_size("10MB")
    10000000
    """
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a size is a whole number and a unit: 500kB, 10MB, 2GB or 1TB")
    return int(match[1]) * _SIZES[match[2]]


def normal_path(text: str) -> str:
    """Check that a path can be read in one way only, whoever reads it."""
    path = PurePosixPath(text)
    if not path.is_absolute():
        raise ValueError("a path starts with /")
    if str(path) != text or ".." in path.parts or text.startswith("//"):
        raise ValueError("a path is written without .., //, a trailing / or a lone dot")
    if not text.isprintable():
        raise ValueError("a path has printable characters only")
    return text


def counted(number: int, thing: str) -> str:
    """Write how many, with the plural where there are several.

    >>> counted(1, "node"), counted(2, "signed checkpoint")
    ('1 node', '2 signed checkpoints')
    """
    return f"{number} {thing}{'s' * (number != 1)}"


def contains(outer: str, inner: str) -> bool:
    """Tell whether `inner` is `outer` or lies below it.

    >>> contains("/srv/dicom", "/srv/dicom/aa"), contains("/srv/dicom", "/srv/dicom2")
    (True, False)
    """
    return PurePosixPath(inner).is_relative_to(outer)


def _some_time(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("it is 1s or longer")
    return value


Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=63),
    Called("a name", "it has small letters, digits and hyphens, begins with a letter and is 63 long at most"),
]
AbsolutePath = Annotated[
    str, StringConstraints(max_length=1024), Checked(normal_path), Field(json_schema_extra={"pattern": "^/"})
]
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(write_duration, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]{1,6}[smhdw]$", "examples": ["90s", "15m", "12h", "7d", "2w"]}
    ),
]
TimeLimit = Annotated[Duration, Checked(_some_time)]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": r"^[0-9]{1,9} ?(B|kB|MB|GB|TB)$",
            "examples": ["10MB", "2GB"],
        }
    ),
]
