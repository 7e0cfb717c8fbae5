"""Which indexes are measured in which night: all of them in turn, within what one night may read."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from maintainer.model.finding import Measurement
from tasks.reindex_density import measured, to_measure
from tasks.reindex_facts import DENSITY, MEASURED_AT, MEASURED_BUILD, MEASURED_ROWS, Index, ReindexFacts

BASE = json.loads((Path(__file__).parent.parent / "cases" / "db-reindex" / "_base.json").read_text("utf-8"))["facts"]
FIELDS = {
    "densities": DENSITY,
    "measured_builds": MEASURED_BUILD,
    "measured_rows": MEASURED_ROWS,
    "measured_at": MEASURED_AT,
}
SIZE, BUDGET = 10, 30


def index(number: int, **other: Any) -> Index:
    known = {"schema": "public", "name": f"i{number}", "table": "t", "oid": number, "filenode": number, "bytes": SIZE}
    figures = {"method": "btree", "fillfactor": None, "rows": 100.0, "changed_rows": 0, "valid": True, "place": None}
    return Index(**{**known, **figures, "owned": True, "permitted": True, "in_work": False, **other})


class Log:
    """What one night puts on record for the next."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, dict[str, float]]] = {name: {} for name in FIELDS.values()}
        self.facts = self.seen([])

    def seen(self, indexes: list[Index], hours: float = 0, density: list[dict[str, Any]] | None = None) -> ReindexFacts:
        facts = ReindexFacts.model_validate({**BASE, "density": density} | {f: self.kept[n] for f, n in FIELDS.items()})
        later = facts.observed_at + timedelta(hours=hours)
        return facts.model_copy(update={"indexes": tuple(indexes), "observed_at": later})

    def keep(self, found: Measurement) -> None:
        self.kept[found.name][found.subject] = {"least": found.value, "last": found.value}

    def look(self, indexes: list[Index], hours: float, full: float = 0.9) -> set[str]:
        """Look, measure what is chosen, and put it on record; answers what was measured."""
        chosen = to_measure(indexes, 0.5, BUDGET, self.seen(indexes, hours))
        found = [{"schema": "public", "name": one.name, "leaf_density": full} for one in chosen]
        for one in measured(self.seen(indexes, hours, found)):
            self.keep(one)
        return {one.name for one in chosen}


def test_each_has_its_turn_within_a_number_of_nights() -> None:
    """Seven indexes, three a night: in three nights each was measured, and the first ones come again."""
    log, indexes = Log(), [index(number) for number in range(1, 8)]
    nights = [log.look(indexes, hours) for hours in (0, 24, 48)]
    assert [len(night) for night in nights] == [3, 3, 3]
    assert set.union(*nights) == {one.name for one in indexes}


def test_the_looks_of_one_night_share_what_it_may_read() -> None:
    """What was measured an hour ago is not measured again, and nothing else in its place."""
    log, indexes = Log(), [index(number) for number in range(1, 8)]
    assert len(log.look(indexes, 0)) == 3
    assert log.look(indexes, 1) == set()


def test_what_was_rebuilt_is_measured_at_once() -> None:
    """It alone, though the night's share is read: the look after a rebuild is to confirm it."""
    log, indexes = Log(), [index(number) for number in range(1, 8)]
    first = min(log.look(indexes, 0))
    again = [index(one.oid, filenode=99) if one.name == first else one for one in indexes]
    assert log.look(again, 1) == {first}


def test_what_was_found_sparse_comes_before_its_turn() -> None:
    """Its rebuild was put off and its rows have changed since: it need not wait for the others."""
    log, indexes = Log(), [index(number) for number in range(1, 8)]
    sparse = log.look(indexes, 0, full=0.2)
    changed = [index(one.oid, rows=101.0) if one.name in sparse else one for one in indexes]
    assert log.look(changed, 24) == sparse


def test_only_b_trees_are_measured_and_none_that_no_night_can_read() -> None:
    """Nothing measures a GIN index; one that is too large does not hold up the others."""
    assert Log().look([index(1, method="gin"), index(2, bytes=31), index(3)], 0) == {"i3"}
