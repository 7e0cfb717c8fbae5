"""What a query answered reads as a list of mappings, but takes little room."""

import datetime as dt

import pytest
from pydantic import BaseModel

from maintainer.links.rows import Rows


class Many(BaseModel):
    rows: tuple[dict[str, int | str | None], ...]


def rows_of(*chunks: list[tuple[object, ...]]) -> Rows:
    rows, shared = Rows(), dict[object, object]()
    for chunk in chunks:
        rows.add(["name", "size"], chunk, shared)
    return rows


def test_rows_read_as_a_list_of_mappings() -> None:
    """Chunk after chunk, in their order, from either end and in part."""
    rows = rows_of([("a", 1), ("b", None)], [("c", 3)])
    every = [{"name": "a", "size": 1}, {"name": "b", "size": None}, {"name": "c", "size": 3}]
    assert [*rows] == every
    assert (len(rows), rows[-1], rows[:2]) == (3, every[2], every[:2])
    assert Many.model_validate({"rows": rows}).rows == tuple(every)


def test_no_rows_read_as_an_empty_list() -> None:
    """A query that finds nothing has no columns, as far as anybody looks."""
    assert ([*Rows()], len(Rows()), Rows()[:5]) == ([], 0, [])
    with pytest.raises(IndexError):
        Rows()[0]


def test_what_comes_in_many_rows_is_kept_once() -> None:
    """Texts and numbers; a truth value stays one, though it equals a number."""
    rows = rows_of([("x" * 99, 5000)], [("".join(["x"] * 99), int("5000")), (True, 1)])
    assert rows[0]["name"] is rows[1]["name"]
    assert rows[0]["size"] is rows[1]["size"]
    assert (rows[2]["name"] is True, rows[2]["size"] is True) == (True, False)


def test_other_values_are_written_as_json_has_them() -> None:
    """Times as ISO 8601 text, durations as well, bytes as hexadecimal digits."""
    rows = rows_of([(dt.datetime(2026, 1, 2, tzinfo=dt.UTC), b"\x01"), (dt.timedelta(hours=1), b"\xff")])
    assert [*rows] == [{"name": "2026-01-02T00:00:00Z", "size": "01"}, {"name": "PT1H", "size": "ff"}]


def test_of_two_columns_with_one_name_the_last_counts() -> None:
    """As in a mapping that is made of them."""
    rows = Rows()
    rows.add(["n", "n"], [(1, 2)], {})
    assert [*rows] == [{"n": 2}]
