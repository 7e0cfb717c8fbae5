"""Telling a node's ledger what the archive's index lists otherwise: what is new, replaced or gone, and nothing else.

What is new has keys after the last one that the ledger knows; where the two differ before it, sums over ranges of keys
tell.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from maintainer.links.deadline import Deadline
from maintainer.links.store_index import Index, Sums, size_of
from maintainer.model.action import VerifyStore

Ask = Callable[[str, dict[str, JsonValue]], Any]

TO_COMPARE, TO_LEARN = 0.15, 0.3
"""Parts of the time after which the rest of the comparison, and of what is new, is left for the next night."""
LEAST_KNOWN = 20
"""Where a ledger knows so many objects, an index that lists none is another one."""


class AnotherIndex(Exception):
    """So much is listed otherwise that it is more likely another database."""


@dataclass(kw_only=True)
class Telling:
    """One night's. `knows_all`: whether all of the index has been told; `compared`: up to which key, if any was.

    `counts`: how many objects were new, replaced and gone.
    """

    index: Index
    ask: Ask
    act: Ask
    action: VerifyStore
    deadline: Deadline
    stop_asked: Callable[[], bool]
    knows_all: bool = False
    compared: int | None = None
    counts: dict[str, int] = field(default_factory=lambda: {"new": 0, "replaced": 0, "gone": 0})

    def run(self) -> None:
        """Tell what the index lists otherwise.

        Of a comparison that takes longer than there is time for, a part is done each night. But something is compared
        before anything is learnt: another index is found out before its objects are taken for new ones.

        Raises:
            AnotherIndex: nothing of what was told last was kept.
        """
        if not self.index.lists:
            self.knows_all = True
            return
        left = self.deadline.left
        known = self.ask("store-sums", {})
        if sum(count for _, count, *_ in known["sums"]) >= LEAST_KNOWN and self.index.is_empty():
            raise AnotherIndex
        self._compare(known, left * (1 - TO_COMPARE))
        self.knows_all = self._tell_new(known["last_key"], left * (1 - TO_LEARN))

    def again(self, row: dict[str, Any]) -> None:
        """Tell what the index lists under one key by now."""
        self._tell(row["key"] - 1, row["key"], [row])

    def _compare(self, known: dict[str, Any], left: float) -> None:
        for reached, ranges in self._different(known):
            for after, through in ranges:
                for page in self.index.pages(after, through):
                    self._tell(*page)
                self.compared = through
                if self.is_time_over(left):
                    return
            self.compared = reached
            if self.is_time_over(left):
                return

    def _tell_new(self, after: int, left: float) -> bool:
        """Tell what is listed after the last known key until so much time is left; answers whether that was all."""
        for page in self.index.pages(after, None):
            self._tell(*page)
            if self.is_time_over(left):
                return False
        return True

    def is_time_over(self, left: float) -> bool:
        """Whether less than so many seconds are left, or a stop is asked for."""
        return self.deadline.left < left or self.stop_asked()

    def _different(self, known: dict[str, Any]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Ranges of keys, as (after, through), in which ledger and index do not list the same, piece by piece.

        They begin where the last night stopped. Each piece comes with the key up to which all is compared after it; 0
        when that was the last one, for the next night begins with the first.
        """
        width, last_key = known["width"], known["last_key"]
        ours = {place: Sums(objects, int(keys), size) for place, objects, keys, size in known["sums"]}
        first = (known["compared"] + 1) // width
        first = first if first * width <= last_key else 0
        for end, listed in self.index.sums(width, first, last_key):
            differ = [place for place in range(first, end) if listed.get(place) != ours.get(place)]
            ranges = [(max(0, place * width - 1), min(last_key, (place + 1) * width - 1)) for place in differ]
            yield (0 if end * width > last_key else end * width - 1), ranges
            first = end

    def _tell(self, after: int, through: int, page: Sequence[dict[str, Any]]) -> None:
        told = learning(self.action.night, after, through, page)
        answer = self.act("store-learn", {**told, "lost_share": self.action.lost_share})
        for what in self.counts:
            self.counts[what] += answer[what]
        if answer["lost"]:
            raise AnotherIndex


def learning(night: str, after: int, through: int, page: Sequence[dict[str, Any]]) -> dict[str, JsonValue]:
    """Say what the index lists between two keys, as `store-learn` takes it."""
    objects: list[JsonValue] = [_told(row) for row in page]
    return {"night": night, "after": after, "through": through, "objects": objects}


def _told(row: dict[str, Any]) -> list[JsonValue]:
    proof = [row["algorithm"], row["digest"], row["kind"], _of_uid(row["sop_instance_uid"])]
    return [row["key"], row["path"], size_of(row), *proof]


def _of_uid(uid: str | None) -> str | None:
    """As much as it takes to notice another one."""
    return hashlib.sha256(uid.encode()).digest()[:8].hex() if uid else None
