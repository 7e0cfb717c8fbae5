"""Whatever stands in the file, the answer is an inventory or a page of sentences."""

from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from maintainer.errors import InventoryError
from maintainer.inventory_file.load import LoadedInventory, parse_inventory
from tests.unit.inventory_texts import GOOD, REGISTER, SAMPLE

PATIENCE = timedelta(seconds=5)
TEXTS = (GOOD, SAMPLE.read_text("utf-8"))
TOKENS = (
    *("[", "]", "{", "}", "=", ".", ",", "\n", " ", '"', "'", '"""', "'''", "#", "\\", "\r\n", "\u202e", "\\u0000"),
    *("[[site.blackouts]]\n", "[nodes.a]\n", "[nodes.a.ssh]\n", "[tasks.db-vacuum]\n", "[nodes.a.tasks.db-vacuum]\n"),
    *("nodes", "tasks", "windows", "ssh", "key", "window", "nodes = ", "from = ", "to = ", "path = ", "address = "),
    *("0", "-1", "1e400", "inf", "nan", "0x" + "F" * 4000, "2026-12-24", "22:00:00", "1979-05-27T07:32:00Z", "true"),
    *('"/"', '"a"', '"-----BEGIN PRIVATE KEY-----"', '""', '"FREQ=YEARLY;BYMONTH=99"', "schedule = ", '"\\u202E"'),
)
VALUES = (
    "0",
    "-1",
    "nan",
    '""',
    '"/"',
    "[]",
    "{}",
    "[[]]",
    '"x"',
    "true",
    "2026-12-24",
    "22:00:00",
    "{ file = 1 }",
    "[1]",
)


def answer(text: str) -> LoadedInventory | None:
    """Ask for the inventory, and check what any answer must be."""
    try:
        return parse_inventory(text, "i.toml", REGISTER)
    except InventoryError as error:
        problems = error.problems
    assert 1 <= len(problems) <= 51
    for line in problems:
        assert line.startswith("i.toml:")
        assert line.isprintable()
        assert len(line) < 1200
    return None


@settings(deadline=PATIENCE)
@given(st.text(max_size=300))
@example("")
@example("\x00")
@example("a = " + "[" * 50_000)
@example("a." * 20_000 + "b = 1")
@example('\\"""\n' * 50_000)
@example("k = " + "9" * 5000)
@example('"\\u0000" = "\\u202E"\n"" = inf')
def test_any_text_is_answered(text: str) -> None:
    """Arbitrary text costs neither the process nor the evening."""
    assert answer(text) is None


@settings(deadline=PATIENCE, max_examples=300)
@given(st.lists(st.sampled_from(TOKENS), max_size=40).map("".join))
def test_any_heap_of_toml_is_answered(text: str) -> None:
    """So do the words of the language in any order."""
    assert answer(text) is None


@settings(deadline=PATIENCE, max_examples=300)
@given(st.sampled_from(TEXTS), st.data())
def test_any_damage_to_a_good_inventory_is_answered(text: str, data: st.DataObject) -> None:
    """Text cut out, doubled or put in somewhere gives sentences, or still an inventory."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    middle = data.draw(
        st.one_of(st.just(""), st.sampled_from(TOKENS), st.just(text[start:end] * 2), st.text(max_size=5))
    )
    answer(text[:start] + middle + text[end:])


@settings(deadline=PATIENCE, max_examples=300)
@given(st.sampled_from(TEXTS), st.data())
def test_any_value_in_any_place_is_answered(text: str, data: st.DataObject) -> None:
    """Each setting withstands a value of each kind."""
    lines = text.split("\n")
    number = data.draw(
        st.sampled_from([n for n, line in enumerate(lines) if " = " in line and not line.startswith("#")])
    )
    value = data.draw(st.sampled_from(VALUES))
    lines[number] = f"{lines[number].split(' = ')[0]} = {value}"
    answer("\n".join(lines))


@settings(deadline=PATIENCE, max_examples=200)
@given(st.sampled_from(TEXTS), st.data())
def test_any_line_left_out_is_answered(text: str, data: st.DataObject) -> None:
    """A line that is lost is noticed, or the inventory is whole without it."""
    lines = text.split("\n")
    lost = data.draw(st.integers(0, len(lines) - 1))
    found = answer("\n".join(lines[:lost] + lines[lost + 1 :]))
    if found is not None:
        assert {a.node for a in found.assignments} <= set(found.inventory.nodes)
        assert {a.params.window for a in found.assignments} <= set(found.inventory.windows)
