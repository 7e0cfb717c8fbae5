"""What an archive's index says of its store, asked in pieces: no question takes longer because more is stored."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from maintainer.archives.product import ArchiveProduct

Rows = Callable[[str, dict[str, Any]], list[dict[str, Any]]]

PAGE, PIECE = 10_000, 100_000
"""So many rows are told, and so many are summed up, by one question."""
TO_COUNT = 60.0
"""Seconds after which no more is counted of what arrived: a new store of many millions is not counted in each plan."""
NO_SIZE = 10**13
"""Bytes that no object has. A size that is none (negative, or larger) is told and summed up as this one."""
_SIZE = f"CASE WHEN size BETWEEN 0 AND {NO_SIZE} THEN size ELSE {NO_SIZE} END"
_ARRIVED = f"SELECT count(*) AS objects, coalesce(sum({_SIZE}), 0)::bigint AS bytes, max(key) AS reached FROM"
_SUMS = f"""\
SELECT
    key / %(width)s::bigint AS place, count(*) AS objects, sum(key)::text AS keys, sum({_SIZE})::bigint AS bytes,
    max(key) AS reached
FROM"""
_AT = """\
SELECT listed.*
FROM unnest(%(keys)s::bigint[]) AS asked (key)
CROSS JOIN LATERAL ("""
_AFTER = "%(after)s"


class Arrived(NamedTuple):
    """What the index lists after a key: at least so much, when `all` is false."""

    objects: int
    bytes: int
    all: bool


class Sums(NamedTuple):
    """Of the objects in a range of keys."""

    objects: int = 0
    keys: int = 0
    bytes: int = 0

    def with_more(self, row: dict[str, Any]) -> "Sums":
        return Sums(self.objects + row["objects"], self.keys + int(row["keys"]), self.bytes + row["bytes"])


class Index:
    """`lists`: whether there is an index that says which objects there should be."""

    lists = True

    def __init__(self, archive: ArchiveProduct, rows: Rows) -> None:
        self._archive, self._rows = archive, rows

    def arrived(self, after: int) -> Arrived:
        until, objects, size, is_all = time.monotonic() + TO_COUNT, 0, 0, False
        while not is_all and time.monotonic() < until:
            (piece,) = self._asked(f"{_ARRIVED} ({self._listed}) AS listed", after, PIECE)
            objects, size, after = objects + piece["objects"], size + piece["bytes"], piece["reached"] or after
            is_all = piece["objects"] < PIECE
        return Arrived(objects, size, is_all)

    def sums(self, width: int, first: int, last_key: int) -> Iterator[tuple[int, dict[int, Sums]]]:
        """Sum up ranges of `width` keys from the one of that number on, as far as the last key.

        Yields the next range to be summed, and the sums of those before it; what is not there is in none of them.
        """
        query = f"{_SUMS} ({self._listed}) AS listed WHERE key <= %(last_key)s GROUP BY 1"
        after, end = max(0, first * width - 1), last_key // width + 1
        held: dict[int, Sums] = {}
        while last_key and first < end:
            piece = self._asked(query, after, PIECE, width=width, last_key=last_key)
            for row in piece:
                held[row["place"]] = held.get(row["place"], Sums()).with_more(row)
            is_last = sum(row["objects"] for row in piece) < PIECE
            after = max((row["reached"] for row in piece), default=after)
            # The range in which a piece ends goes on in the next one.
            first = end if is_last else max(held)
            yield first, {place: held.pop(place) for place in sorted(held) if place < first}

    def pages(self, after: int, through: int | None) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
        """What the index lists after a key, up to another or to its end: (after, through, rows) without a gap."""
        while through is None or after < through:
            end = through
            page = self._asked(self._archive.objects_sql, after, PAGE)
            full = len(page) == PAGE
            page = [row for row in page if through is None or row["key"] <= through]
            if page and (full or end is None):
                end = int(page[-1]["key"])
            if end is None:
                return
            yield after, end, page
            after = end

    def at(self, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        """What it lists under these keys by now; what it does not list any more is left out."""
        query = f"{_AT}{self._listed.replace(_AFTER, '(asked.key - 1)')}) AS listed\nWHERE listed.key = asked.key"
        return {row["key"]: row for row in self._rows(query, {"keys": [*keys], "limit": 1})} if keys else {}

    def is_empty(self) -> bool:
        return not self._asked(self._archive.objects_sql, 0, 1)

    def knows(self, paths: list[str]) -> set[str]:
        """Which of these it lists."""
        return {row["path"] for row in self._rows(self._archive.known_sql, {"paths": paths})} if paths else set()

    @property
    def _listed(self) -> str:
        return f"\n{self._archive.objects_sql}\n"

    def _asked(self, text: str, after: int, limit: int, **more: int) -> list[dict[str, Any]]:
        return self._rows(text, {"after": after, "limit": limit, **more})


class NoIndex(Index):
    """In place of an index for a plain tree of files: what was there before is missed, whoever removed it."""

    lists = False

    def arrived(self, after: int) -> Arrived:  # noqa: ARG002 (the walk on the node finds out)
        return Arrived(0, 0, all=False)

    def knows(self, paths: list[str]) -> set[str]:
        return set(paths)


def size_of(row: Mapping[str, Any]) -> int:
    """Bytes that an object should have; damaged rows of an index cost findings, and nothing else."""
    size = row["size"]
    return size if isinstance(size, int) and 0 <= size <= NO_SIZE else NO_SIZE


def index_of(archive: ArchiveProduct, rows: Rows) -> Index:
    return (Index if archive.has_index else NoIndex)(archive, rows)
