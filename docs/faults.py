"""Make docs/faults.md: what can go wrong at night, what must follow, and which tests show it.

    python docs/faults.py           rewrite docs/faults.md
    python docs/faults.py --check   change nothing; end with 1 when docs/faults.md says something else

A test shows a row when it carries `@pytest.mark.fault(row)`. The marks are read from the sources: nothing is run.
"""

# ruff: noqa: INP001 (a script beside the page that it makes, not a package)

import ast
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "faults.md"


class Row(NamedTuple):
    """`still_open`: what no test shows yet; empty when all of it is shown."""

    happens: str
    follows: str
    still_open: str = ""


SECTIONS: dict[str, dict[int, Row]] = {
    "The agent and its log": {
        1: Row("the run is killed at any of its system calls", "no effect without an intent; the next run settles it"),
        2: Row("it is killed again while it settles", "settling twice is settling once"),
        3: Row("the power fails between intent and outcome", "settled by the next run"),
        4: Row("the disk reports an error at fdatasync", "the run stops; that descriptor is never used again"),
        5: Row("the state volume has no room", "nothing begins; the reserve carries the record that says so"),
        6: Row("a record is written in part", "the torn end is set aside, and a record tells of it"),
        7: Row("the state volume fills during a run", "what has begun is finished, nothing new begins"),
        8: Row(
            "the agent is suspended past its deadline",
            "the operation ends by itself on the node; the agent is fenced when it wakes",
        ),
        9: Row("two agents at once", "the second does nothing and says who is at work"),
        10: Row("an agent is suspended, another takes over, the first wakes", "the first is fenced"),
        11: Row("whoever launched an operation dies", "the operation lives, and holds its lock"),
    },
    "Network and SSH": {
        12: Row("packets vanish in mid-step", "found again, or unknown; never failed"),
        13: Row("packets vanish between launch and answer", "the second launch adopts the first"),
        14: Row("connections are refused or reset", "tried again for a bounded time, and only while connecting"),
        15: Row("one packet in five is lost", "it works, or ends as unknown"),
        16: Row("the line carries 256 kbit/s", "it works, within its deadline"),
        17: Row("the host key is changed, unknown or of another type", "refused, with what to compare"),
        18: Row("sshd allows two sessions and two callers", "it works, more slowly"),
        19: Row("sshd is restarted in mid-operation", "the operation lives and is found again"),
        20: Row("sshd offers CBC and SHA-1 only", "refused, in a plain sentence"),
        21: Row("output without end, an endless banner, silence", "cut off, in time"),
    },
    "The node": {
        22: Row("the operation is killed, or its time is over", "its verdict file decides; without one it is unknown"),
        23: Row("the node reboots in mid-operation", "interrupted, told by the boot id; never repeated blindly"),
        24: Row("the node's disk is full", "nothing begins; what has begun and left no verdict is unknown"),
        25: Row("the service does not come back", "its group is frozen, the partner stays up, an alert"),
        26: Row("the partner dies after the node was stopped", "the node is started first, then an alert"),
        27: Row("the partner answers only sometimes", "the node is not taken down"),
        28: Row("one machine under two names", "found by the machine's id"),
        29: Row("a person works on the node", "it is not touched, and the reason is recorded"),
    },
    "PostgreSQL": {
        30: Row("an old snapshot during a rebuild", "refused before; later ended, and its remains dropped"),
        31: Row("invalid indexes that somebody left", "reported by their kind, with advice"),
        32: Row("the client is killed", "the server stops within seconds; remains are cleaned up by the next run"),
        33: Row("a flipped bit in an index page", "found, rebuilt, and found to be gone"),
        34: Row("a flipped bit in a table's page", "found, critical, and nothing is repaired"),
        35: Row("no room for the rebuild", "refused before; later the server lives and the remains are dropped"),
        36: Row("somebody holds a lock", "given up within a second; nobody waits longer because of us"),
        37: Row("the role cannot read statistics", "that it cannot tell is said, instead of a number"),
    },
    "Store and cleanup": {
        38: Row("an object is changed, cut, emptied, deleted, added or replaced", "each is found as what it is"),
        39: Row("the archive writes during the scan", "no false finding"),
        40: Row("the store's mount is lost", "one finding, not a million"),
        41: Row("links, mounts and special files in a cleanup root", "nothing outside of the root is touched"),
        42: Row("a cleanup root that is empty, `/`, relative or nested", "refused when the inventory is read"),
        43: Row("hostile DICOM", "a finding for each, in bounded time and memory"),
    },
    "Time": {
        44: Row(
            "the clocks are changed; windows over midnight; times that exist twice or never", "as the calendar says"
        ),
        45: Row("a clock steps, or the node's differs by ten minutes", "nothing new begins, and that is said"),
    },
    "Attacks on the log": {
        46: Row("records are edited, deleted, moved, doubled; the key is swapped", "verifying fails, and says where"),
        47: Row("the end is cut off; an old disk of the controller is restored", "the nodes tell, and the run refuses"),
    },
}
ROWS = {number: row for section in SECTIONS.values() for number, row in section.items()}
ON = {
    "unit": "in memory",
    "contract": "on this machine, with the real part",
    "e2e": "on a practice PACS, as a user starts it",
    "lab": "on two booted nodes",
}
HEAD = """# Faults

What can go wrong at night, what must follow, and which tests show it. Made by `python docs/faults.py` from the marks
that the tests carry; what no test shows is said to be open.

The four columns on the right count the tests: **memory**, the engine against fleets in memory; **part**, the real
part (the log's file, sshd, PostgreSQL, the node program) on this machine; **practice**, the whole product on a practice
PACS; **nodes**, the whole product on two booted nodes with systemd, Orthanc and PostgreSQL 15. Whatever a test on the
nodes is about, it also checks that the stores' files are unchanged, that at most one of the two was ever out of service
(asked ten times a second), that every intent of the log has one ending or is said to be open, that the log verifies,
and that nothing of ours runs on a node afterwards.
"""


class Shown(NamedTuple):
    """A test that shows rows of the table."""

    rows: tuple[int, ...]
    path: str
    name: str
    about: str

    @property
    def room(self) -> str:
        return self.path.split("/")[1]


def shown() -> tuple[Shown, ...]:
    """Every test that carries a mark, in the order of the files."""
    return tuple(test for path in sorted((ROOT / "tests").rglob("test_*.py")) for test in _marked(path))


def page(tests: tuple[Shown, ...]) -> str:
    """Give the whole page."""
    parts = [HEAD, *(_section(title, rows, tests) for title, rows in SECTIONS.items())]
    return "\n".join([*parts, "## The tests\n", *(_tests(number, tests) for number in ROWS if _of(number, tests))])


def main(arguments: list[str]) -> int:
    wanted = page(shown())
    if arguments == ["--check"]:
        return int(not PAGE.exists() or PAGE.read_text("utf-8") != wanted)
    PAGE.write_text(wanted, "utf-8")
    return 0


def _marked(path: Path) -> Iterator[Shown]:
    where = str(path.relative_to(ROOT))
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and (rows := _rows(node)):
            about = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            yield Shown(rows, where, node.name, about)


def _rows(test: ast.FunctionDef) -> tuple[int, ...]:
    """Read the numbers of `@pytest.mark.fault(1, 2)`."""
    return tuple(
        number
        for mark in test.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault"
        for number in map(ast.literal_eval, mark.args)
    )


def _of(number: int, tests: tuple[Shown, ...]) -> list[Shown]:
    return [test for test in tests if number in test.rows]


def _section(title: str, rows: dict[int, Row], tests: tuple[Shown, ...]) -> str:
    head = "| # | What happens | What must follow | memory | part | practice | nodes |\n|--:|---|---|--:|--:|--:|--:|"
    return "\n".join([f"## {title}\n", head, *(_line(number, row, tests) for number, row in rows.items()), ""])


def _line(number: int, row: Row, tests: tuple[Shown, ...]) -> str:
    here = _of(number, tests)
    counts = [str(sum(test.room == room for test in here) or "") for room in ON]
    lacks = row.still_open if here else "no test shows it"
    follows = f"{row.follows}. **Open: {lacks}**" if lacks else row.follows
    return "| " + " | ".join([str(number), row.happens, follows, *counts]) + " |"


def _tests(number: int, tests: tuple[Shown, ...]) -> str:
    lines = [f"**{number}. {ROWS[number].happens[0].upper()}{ROWS[number].happens[1:]}**\n"]
    for test in _of(number, tests):
        said = f"- `{test.name}` in `{test.path}`, {ON[test.room]}: {test.about}"
        lines.append(textwrap.fill(said, 118, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
