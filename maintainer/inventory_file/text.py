"""The inventory as text: read within bounds, and refused before a parser sees what would keep it busy."""

import os
import re
import stat
import tomllib
import unicodedata
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from maintainer.errors import InventoryError
from maintainer.inventory_file.positions import Spot

MOST_BYTES = 256_000
LONGEST_LINE = 4096
DEEPEST_BRACKETS = 16
MOST_DOTS = 16  # of one line, outside quotes: tomllib needs quadratic time for a dotted key
MOST_LINES = 50
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_TOKEN = re.compile(
    r'''"""(?:[^"\\]|\\.?|"(?!""))*+(?:"{3,5})?'''
    r"""|'''(?:[^']|'(?!''))*+(?:'{3,5})?"""
    r"""|"(?:[^"\\\n]|\\[^\n])*+"?"""
    r"""|'[^'\n]*+'?"""
    r"""|\#[^\n]*+|[\[{]|[\]}]|\.|\n""",
    re.DOTALL,
)
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_PLAIN_WORDS = (
    (
        "Expected newline or end of document",
        "the line should end here: is text missing its quotes, or a comment its #?",
    ),
    ("Invalid value", "this is no value: text, times and durations stand in quotes, true and false in small letters"),
    ("Expected '='", "a key is followed by = and a value"),
    ("Expected ']'", "a section's name is closed by ]"),
    ("Expected ']]'", "a section's name that opens with [[ is closed by ]]"),
    ("Unclosed array", "a list is not closed: ] or a comma is missing"),
    ("Unclosed inline table", "a table is not closed: } or a comma is missing, or it goes on to another line"),
    ("Unterminated string", "a text is not closed: its last quote is missing"),
    ("Illegal character", "a text is not closed on its line: its last quote is missing"),
    ("Found invalid character", "a text is not closed on its line: its last quote is missing"),
    ("Expected \"'", "a text is not closed: its last quote is missing"),
    ("Invalid initial character", "a key has letters, digits, - and _, or stands in quotes"),
    ("Invalid statement", "neither a [section] nor a key = value"),
    ("Unescaped '\\'", r"a backslash in text is written \\, or the text stands in single quotes"),
    ("Invalid hex value", r"\u and \U are followed by 4 and 8 hexadecimal digits"),
    ("Escaped character", r"\u and \U name a character that exists"),
    ("Invalid date", "this day or time does not exist"),
    ("Duplicate inline table key", "this key is written twice"),
    ("Cannot declare", "this section is written twice"),
    ("Cannot overwrite", "this is written twice"),
    ("Cannot mutate", "this adds to something that is already complete above"),
    ("Cannot redefine", "this adds to a section that is already complete above"),
)


def read(path: Path) -> str:
    """Read a file that is not too large to be an inventory.

    Raises:
        InventoryError: there is no such file, it cannot be read, is too large or is not UTF-8.
    """
    name = shown_name(str(path))
    try:
        raw = _read_bounded(path)
    except (OSError, ValueError) as error:
        raise InventoryError((f"{name}: {_why_unreadable(error)}",), hint=_what_to_do(error)) from None
    if len(raw) > MOST_BYTES:
        raise InventoryError((f"{name}: the file is too large: an inventory has at most {MOST_BYTES // 1000} kB",))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        raise InventoryError(
            (_line(name, _spot(before, len(before)), "the file is not UTF-8: save it as UTF-8"),)
        ) from None


def parse(text: str, name: str) -> dict[str, Any]:
    """Read TOML in bounded time, whatever the text is.

    Raises:
        InventoryError: the text is too large, holds what cannot be seen, is nested too deeply or is not TOML.
    """
    problems = tuple(_line(name, spot, what) for spot, what in islice(_refusals(text), MOST_LINES))
    if problems:
        raise InventoryError(problems)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InventoryError((_line(name, *_syntax(text, str(error))),)) from None
    except (ValueError, RecursionError):
        raise InventoryError(
            (_line(name, Spot(1, 1), "there is a value in this file that is too large to be read"),)
        ) from None


def shown_name(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name)


def _read_bounded(path: Path) -> bytes:
    # Opened without waiting: a named pipe would block until somebody writes to it.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise ValueError
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(MOST_BYTES + 1)
    finally:
        os.close(handle)


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a folder, not an inventory"
    if isinstance(error, PermissionError):
        return "you may not read this file"
    if isinstance(error, OSError):
        return f"the file cannot be read: {os.strerror(error.errno or 0).lower()}"
    return "this is not a regular file"


def _what_to_do(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "run as the user that the inventory belongs to, or pass --inventory FILE"
    return "`maintainer practice up` makes a PACS to try things on; for your own inventory pass --inventory FILE"


def _refusals(text: str) -> Iterator[tuple[Spot, str]]:
    if len(text) > MOST_BYTES or len(text.encode(errors="replace")) > MOST_BYTES:
        yield Spot(1, 1), f"the text is too large: an inventory has at most {MOST_BYTES // 1000} kB"
        return
    yield from _hidden_characters(text)
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LONGEST_LINE:
            yield Spot(number, LONGEST_LINE + 1), f"the line is too long: at most {LONGEST_LINE} characters"
    yield from _tangles(text)


def _hidden_characters(text: str) -> Iterator[tuple[Spot, str]]:
    for match in re.finditer(r"[^\t\n -~]", text):
        char = match[0]
        windows_line_end = char == "\r" and text[match.end() : match.end() + 1] == "\n"
        if unicodedata.category(char) in _HIDDEN and not windows_line_end:
            kind = unicodedata.name(char, "a control character").lower()
            yield (
                _spot(text, match.start()),
                f"there is a character here that cannot be seen: U+{ord(char):04X}, {kind}",
            )


def _tangles(text: str) -> Iterator[tuple[Spot, str]]:
    depth = dots = 0
    for match in _TOKEN.finditer(text):
        symbol = match[0]
        depth = max(0, depth + _STEP.get(symbol, 0))
        dots = 0 if "\n" in symbol else dots + (symbol == ".")
        if depth > DEEPEST_BRACKETS:
            yield _spot(text, match.start()), f"brackets are nested too deeply: at most {DEEPEST_BRACKETS} levels"
            return
        if dots > MOST_DOTS:
            yield _spot(text, match.start()), f"too many dots in one line: at most {MOST_DOTS} outside quotes"
            return


def _syntax(text: str, message: str) -> tuple[Spot, str]:
    """Turn the parser's message into ours. Before Python 3.14 it says where only in that message."""
    match = _AT.search(message)
    spot = Spot(int(match[1]), int(match[2])) if match and match[1] else _spot(text, len(text))
    words = next((ours for theirs, ours in _PLAIN_WORDS if message.startswith(theirs)), "this is not TOML")
    return spot, words


def _spot(text: str, offset: int) -> Spot:
    line_start = text.rfind("\n", 0, offset) + 1
    return Spot(text.count("\n", 0, offset) + 1, offset - line_start + 1)


def _line(name: str, spot: Spot, what: str) -> str:
    return f"{name}:{spot.line}:{spot.column}: {what}"
