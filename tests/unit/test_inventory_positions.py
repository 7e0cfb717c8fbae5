"""Where keys, values and tables stand."""

import pytest

from maintainer.inventory_file.positions import Path, Positions, Spot

TEXT = """\
top = 1
"é"."d.e".'f' = { x = 1, "y\\u0041" = [1, { z = "ö" }] }
[a . "b c"]
k = 1
[[list]]
n = 1
[list.sub]
m = 1
[[list]]
n = [
  1,  # one
  2,
]
[[list.inner]]
o = 1
[p.q]
r.s = 1
"""


@pytest.fixture(scope="module")
def positions() -> Positions:
    return Positions(TEXT)


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("top",), 1, 1),
        (("a", "b c"), 3, 6),
        (("a", "b c", "k"), 4, 1),
        (("list", 0, "n"), 6, 1),
        (("list", 0, "sub", "m"), 8, 1),
        (("list", 1, "n"), 10, 1),
        (("list", 1, "inner", 0, "o"), 15, 1),
        (("p", "q", "r", "s"), 17, 3),
    ],
)
def test_a_key_is_found(positions: Positions, path: Path, line: int, column: int) -> None:
    """Dotted and quoted keys, sections and lists of sections each have their place."""
    assert positions.key(path) == Spot(line, column)


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("top",), 1, 7),
        (("é", "d.e", "f"), 2, 17),
        (("é", "d.e", "f", "yA", 1), 2, 42),
        (("é", "d.e", "f", "yA", 1, "z"), 2, 48),
        (("list", 1, "n", 1), 12, 3),
        (("list", 1, "inner", 0, "o"), 15, 5),
    ],
)
def test_a_value_is_found(positions: Positions, path: Path, line: int, column: int) -> None:
    """Columns count characters, and elements of lists do not count comments."""
    assert positions.value(path) == Spot(line, column)


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [(("a", "b c"), 3, 1), (("list", 0), 5, 1), (("list", 1), 9, 1), (("é", "d.e", "f"), 2, 17), (("p",), 16, 2)],
)
def test_a_table_is_found_at_its_header(positions: Positions, path: Path, line: int, column: int) -> None:
    """A table that only its parts have written is found at the first of them."""
    assert positions.table(path) == Spot(line, column)


@pytest.mark.parametrize(("path", "spot"), [(("a", "b c", "no"), Spot(3, 6)), (("no",), Spot(1, 1)), ((), Spot(1, 1))])
def test_what_is_not_there_is_found_nearby(positions: Positions, path: Path, spot: Spot) -> None:
    """There is always a place to send the reader to."""
    assert positions.key(path) == spot


@pytest.mark.parametrize("text", ["", "[", "a = ", "= 1", '"\\ud800" = 1', "[[]]", "a.b", "\x00", "a = {b}"])
def test_broken_text_has_positions_too(text: str) -> None:
    """Asking is safe whatever the text is."""
    assert Positions(text).key(("a",)).line == 1
