"""The page of faults is made from the tests, and says no more than they show."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent.parent


@cache
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_faults", ROOT / "docs" / "faults.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_marks_say() -> None:
    """A test that was marked, renamed or removed is seen: `python docs/faults.py` writes the page anew."""
    assert script().main(["--check"]) == 0, "docs/faults.md is not of these tests: run `python docs/faults.py`"


def test_every_mark_names_a_row_and_every_test_says_what_it_shows() -> None:
    """A number that is no row would show nothing, and a row is only as clear as the sentence of its test."""
    for test in script().shown():
        assert set(test.rows) <= set(script().ROWS), test.name
        assert test.about, test.name


def test_a_row_without_a_test_is_said_to_be_open() -> None:
    """Nobody can read the page as if everything were covered: without its tests, each row is open."""
    rows = [line for line in script().page(()).splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert len(rows) == len(script().ROWS) == 47
    assert all("**Open: no test shows it**" in row for row in rows)
