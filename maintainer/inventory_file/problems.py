"""Mistakes in an inventory: what is wrong, where, and one line for each, in the order of the file."""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from maintainer.inventory_file.positions import Path, Positions, Spot

MOST_LINES = 50
MOST_KEPT = 1000
_LONGEST_ECHO = 60
_DEEPEST_ECHO = 10
_LARGEST_ECHO = 10**20
_MOST_GUESSES = 12
_MOST_COMPARED = 1000
_SUPPRESSED = re.compile(r"(^|[_-])(password|passphrase|passwd|secret|token|key|credential)s?$")
_BARE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class At(Enum):
    """Which part of a setting is wrong, and so where the reader is sent."""

    KEY = "key"
    VALUE = "value"
    TABLE = "table"
    MISSING = "missing"  # the table in which it should stand


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake. `word` was written where only `known` words are; the line then says which may have been meant."""

    path: Path
    at: At
    what: str
    word: str = ""
    known: tuple[str, ...] = ()

    def spot(self, positions: Positions) -> Spot:
        match self.at:
            case At.KEY:
                return positions.key(self.path)
            case At.VALUE:
                return positions.value(self.path)
            case At.TABLE:
                return positions.table(self.path)
            case At.MISSING:
                return positions.table(self.path[:-1])

    def sentence(self) -> str:
        where = dotted(self.path)
        return f"{where}: {self.what}{suggestion(self.word, self.known)}" if where else self.what


class Problems:
    """Collects mistakes, at most one for each setting: the first that is told is the one to mend first."""

    def __init__(self) -> None:
        self._kept: dict[Path, Problem] = {}
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._kept)

    def __contains__(self, path: Path) -> bool:
        return path in self._kept

    def add(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            if problem.path in self._kept:
                continue
            if len(self._kept) < MOST_KEPT:
                self._kept[problem.path] = problem
            else:
                self._more += 1

    def lines(self, name: str, positions: Positions) -> tuple[str, ...]:
        """Write the first mistakes of the file, and how many there are besides."""
        found = sorted(
            ((p.spot(positions), p) for p in self._kept.values()), key=lambda pair: (pair[0], str(pair[1].path))
        )
        lines = [f"{name}:{spot.line}:{spot.column}: {problem.sentence()}" for spot, problem in found[:MOST_LINES]]
        rest = len(found) - len(lines) + self._more
        return (*lines, f"{name}: and {rest} more") if rest else tuple(lines)


def dotted(path: Path) -> str:
    """Write a path of keys as it would stand in a table's header.

    >>> dotted(("site", "blackouts", 1, "from")), dotted(("nodes", "PACS A"))
    ('site.blackouts[1].from', 'nodes."PACS A"')
    """
    shown = [f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in path[:_DEEPEST_ECHO]]
    return "".join(shown).removeprefix(".") + ("…" if len(path) > _DEEPEST_ECHO else "")


def _key(part: str) -> str:
    return part if _BARE.fullmatch(part) else show(part)


def show(value: Any) -> str:
    r"""Write a value as it stands in the file: on one line, printable, short, and never a private key.

    >>> show("a\u202eb"), show(70000), show([1]), show(True), show("-----BEGIN OPENSSH PRIVATE KEY-----")
    ('"a\\u202eb"', '70000', 'a list', 'true', 'a PEM block')
    """
    match value:
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case str():
            return "a PEM block" if "-----BEGIN" in value else _quoted(value)
        case bool():
            return str(value).lower()
        case int() if abs(value) >= _LARGEST_ECHO:
            return "this large number"
    return str(value)[:_LONGEST_ECHO]


def _quoted(text: str) -> str:
    start = text[:_LONGEST_ECHO]
    quoted = json.dumps(start, ensure_ascii=not start.isprintable())
    return quoted if start == text else f'{quoted[:-1]}…"'


def is_secret(path: Path) -> bool:
    """Tell whether what stands here may be a secret, and so must not be repeated in a message."""
    return any(isinstance(part, str) and _SUPPRESSED.search(part[-64:].lower()) for part in path)


def suggestion(word: str, known: tuple[str, ...]) -> str:
    """Guess what was meant, or list what there is.

    >>> suggestion("nigth", ("any-time", "night")), suggestion("x", ("a", "b")), suggestion("", ())
    ('; did you mean `night`?', '; there is: a, b', '')
    """
    if not known:
        return ""
    spelled = {name.lower(): name for name in known[:_MOST_COMPARED]}
    close = difflib.get_close_matches(word[:64].lower(), spelled, n=1)
    if close:
        return f"; did you mean `{spelled[close[0]]}`?"
    return f"; there is: {', '.join(known[:_MOST_GUESSES])}{', …' if len(known) > _MOST_GUESSES else ''}"
