"""One plain sentence for each thing that pydantic refuses. Its own words never reach the reader."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from maintainer.inventory_file.positions import Path
from maintainer.inventory_file.problems import At, Problem, is_secret, show
from maintainer.inventory_file.schema import Schema
from maintainer.model.values import write_duration

_A_TABLE = "a section of its own"
_A_LIST = 'a list in brackets, such as ["a", "b"]'
_KINDS = {
    "string_type": "text in quotes",
    "int_type": "a whole number, without quotes",
    "int_from_float": "a whole number",
    "float_type": "a number, without quotes",
    "bool_type": "true or false, without quotes",
    "dict_type": _A_TABLE,
    "model_type": _A_TABLE,
    "model_attributes_type": _A_TABLE,
    "tuple_type": _A_LIST,
    "list_type": _A_LIST,
    "set_type": _A_LIST,
    "date_type": "a date without quotes, such as 2026-12-24",
    "date_from_datetime_inexact": "a date without a time, such as 2026-12-24",
    "datetime_type": "a date and time without quotes, such as 2026-12-24T22:00:00",
    "finite_number": "a finite number",
}
_QUOTES = {"int_type": ", and stands without quotes", "string_type": ", and stands in quotes"}
_LIMITS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
}
_OWN_WORDS = {"secret", "service", "unchecked"}  # error types of maintainer.model.inventory and .fields
_QUOTED = re.compile(r"'([^']*)'")


def problem(error: ErrorDetails, base: Path, data: Any, schema: Schema) -> Problem | None:
    """Say what is wrong, and where in the file; nothing when the error only follows from another.

    `base` is where `data`, the table that was checked, stands in the file.
    """
    below, at = _where(error["loc"], data)
    path = (*base, *below)
    kind, given = error["type"], error["input"]
    if kind == "missing":
        return Problem(path=path, at=At.MISSING, what=_missing(path, schema))
    if kind == "extra_forbidden":
        known = schema.keys(path[:-1])
        return Problem(path=path, at=At.KEY, what="there is no such setting", word=str(path[-1]), known=known)
    if kind == "too_short" and isinstance(given, list) and len(given) > error["ctx"]["actual_length"]:
        return None  # elements of the list were refused, each with a sentence of its own
    shown = "what stands here" if is_secret(path) else show(given)
    what = _what(kind, error.get("ctx", {}), shown, error["msg"])
    if kind in {"enum", "literal_error"}:
        known = tuple(_QUOTED.findall(error["ctx"]["expected"]))
        return Problem(path=path, at=at, what=what, word=str(given), known=known)
    return Problem(path=path, at=at, what=what)


def _where(loc: tuple[int | str, ...], data: Any) -> tuple[Path, At]:
    """Follow a location into the data; what is not there is the name of a union's member, but for the last part."""
    path: list[str | int] = []
    here = data
    for number, part in enumerate(loc, start=1):
        if part == "[key]" and number == len(loc):
            return tuple(path), At.KEY
        if isinstance(here, dict) and (part in here or number == len(loc)):
            path.append(part)
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            path.append(part)
            here = here[part]
    return tuple(path), At.VALUE


def _missing(path: Path, schema: Schema) -> str:
    kind = "section" if schema.is_table(path) else "setting"
    description = schema.description(path)
    return f"this {kind} is missing{': ' if description else ''}{description}"


def _what(kind: str, ctx: Mapping[str, Any], shown: str, own_words: str) -> str:
    if kind in _OWN_WORDS:
        return own_words
    if kind == "called":
        return f"{shown} is not {ctx['what']}: {ctx['rule']}{_QUOTES.get(ctx['inner'], '')}"
    if kind in _KINDS:
        return f"{shown} will not do: write {_KINDS[kind]}"
    return _out_of_bounds(kind, ctx, shown) or _wrong_length(kind, ctx) or _unfit(kind, ctx, shown)


def _unfit(kind: str, ctx: Mapping[str, Any], shown: str) -> str:
    if kind in {"enum", "literal_error"}:
        return f"{shown} is not known here"
    if kind in {"value_error", "assertion_error"}:
        words = _one_line(ctx["error"])
        return words if shown in {"a list", "a table"} else f"{shown} will not do: {words}"
    return f"{shown} does not fit here"


def _out_of_bounds(kind: str, ctx: Mapping[str, Any], shown: str) -> str:
    if kind not in _LIMITS:
        return ""
    bounds = {name: _number(value) for name, value in ctx.items()}
    return f"{shown} is out of bounds: it must be {_LIMITS[kind].format(**bounds)}"


def _wrong_length(kind: str, ctx: Mapping[str, Any]) -> str:
    match kind:
        case "string_too_short":
            return "this text is empty" if ctx["min_length"] == 1 else f"this text is shorter than {ctx['min_length']}"
        case "string_too_long":
            return f"this text is longer than {ctx['max_length']} characters"
        case "too_short" if ctx["actual_length"] == 0:
            return "this is empty: at least one is needed"
        case "too_short":
            return f"at least {ctx['min_length']} are needed here, not {ctx['actual_length']}"
        case "too_long":
            return f"at most {ctx['max_length']} may stand here"
        case _:
            return ""


def _number(value: Any) -> str:
    return write_duration(value) if isinstance(value, dt.timedelta) else f"{value:g}"


def _one_line(error: Any) -> str:
    return " ".join(str(error).split())[:200]
