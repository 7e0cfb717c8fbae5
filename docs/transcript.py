"""Make the README's transcript: the steps of docs/demo.sh, run for real on a practice PACS of its own.

    python docs/transcript.py           rewrite the part of README.md that lies between the two markers
    python docs/transcript.py --check   change nothing; end with 1 and a diff when README.md says something else

Shown is what the commands print into a pipe. Two things differ from it: a value that is another one in each run is
written as `…`, and the columns of a table are set beside each other and folded to the width of a page.
"""

# ruff: noqa: INP001 (a script beside the pages that it is about, not a package)

import difflib
import itertools
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from maintainer.practice.layout import ADDRESS, DEFAULT_FOLDER, Ports
from maintainer.practice.processes import is_free

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN = "<!-- transcript: made by `make transcript` -->\n"
END = "<!-- end of transcript -->\n"
WIDTH = 116
AT_MOST_SECONDS = 120

VOLATILE = (
    (r"\d{8}T\d{6}-[0-9a-f]{4}", "…"),  # a run's id
    (r"(?m)^\d\d:\d\d:\d\dZ  ", "…  "),
    (r"\b\d+\.\d+ s\b", "… s"),
    (r"[+-]\d+ s from", "… s from"),
    (r"(?<=modified )\d+ \w+ ago", "… ago"),
    (r"[\d.]+ of [\d.]+ GB free on \S+", "… of … GB free on …"),
    (r"\S+ as \S+, Python [\d.]+", "… as …, Python …"),
    (r"runs as \S+ whatever", "runs as … whatever"),
    (r"PostgreSQL [\d.]+, logged", "PostgreSQL …, logged"),
    (r"(?<=process )\d+", "…"),
    (r"(?m)^(\w+\trunning\t\d+\t)\d+$", r"\1…"),  # a process's number
    (r"\bobject-[0-9a-f]{16}", "object-…"),
    (r"(?<=root )[0-9a-f]{16}…", "…"),  # of the log
)


@dataclass(frozen=True)
class Step:
    """One line of the demo: what is run, and which exit codes are fine."""

    argv: tuple[str, ...]
    allowed: tuple[int, ...]


class Bench:
    """A practice PACS away from the default place; what is shown reads as if it were there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        free = (port for port in random.sample(range(20_000, 32_000), 200) if is_free(ADDRESS, port))
        self._ports = Ports(ssh=next(free), database=next(free), dicom=next(free))

    def run(self, step: Step) -> str:
        """Run one step; answers what it prints.

        Raises:
            SystemExit: it ended with a code that the demo does not allow.
        """
        environment = {**os.environ, "MAINTAINER_INVENTORY": str(self._folder / "inventory.toml"), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-m", *step.argv, *self._where(step.argv)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=environment,
            timeout=AT_MOST_SECONDS,
            check=False,
        )
        if done.returncode not in step.allowed:
            sys.exit(f"`{shlex.join(step.argv)}` ended with {done.returncode}:\n{done.stdout}")
        return self._moved_home(done.stdout)

    def _where(self, argv: Sequence[str]) -> tuple[str, ...]:
        """Give the options that lead a command to this place; those without any find it by the environment."""
        if argv[:2] != ("maintainer", "practice"):
            return ()
        ports = {"ssh": self._ports.ssh, "database": self._ports.database, "dicom": self._ports.dicom}
        chosen = [f"--{name}-port={port}" for name, port in ports.items()] if argv[2] == "up" else []
        return (f"--folder={self._folder}", *chosen)

    def _moved_home(self, text: str) -> str:
        text = text.replace(str(self._folder), str(DEFAULT_FOLDER)).replace(f" --folder {DEFAULT_FOLDER}", "")
        ours, default = self._ports, Ports()
        for port, shown in ((ours.ssh, default.ssh), (ours.database, default.database), (ours.dicom, default.dicom)):
            text = re.sub(rf"\b{port}\b", str(shown), text)
        return text


def steps() -> Iterator[Step]:
    """Read the demo's steps: lines of `step "CODES" COMMAND`."""
    for line in (ROOT / "docs" / "demo.sh").read_text("utf-8").splitlines():
        if line.startswith("step "):
            _, codes, *argv = shlex.split(line)
            yield Step(tuple(argv), tuple(map(int, codes.split())))


def transcript() -> str:
    """Run the demo; answers the text that belongs between the markers."""
    home = Path(tempfile.mkdtemp(prefix="maintainer-transcript-"))
    bench = Bench(home / "pacs")
    try:
        shown = [f"$ {shlex.join(step.argv)}\n{laid_out(steady(bench.run(step)))}" for step in steps()]
    finally:
        bench.run(Step(("maintainer", "practice", "down", "--wipe"), (0, 1, 2)))
        shutil.rmtree(home)
    return "```console\n" + "\n".join(shown) + "```\n"


def steady(text: str) -> str:
    """Write `…` for what is another value in each run.

    >>> steady("07:25:39Z  practice  db-vacuum: done in 0.045 s")
    '…  practice  db-vacuum: done in … s'
    """
    for pattern, shown in VOLATILE:
        text = re.sub(pattern, shown, text)
    return text


def laid_out(text: str) -> str:
    r"""Set tables, which come as tab-separated lines, and fold long lines.

    >>> print(laid_out("a\tbee\n1\t2\nand so on"), end="")
    a  bee
    1  2
    and so on
    """
    lines: list[str] = []
    for tabs, group in itertools.groupby(text.splitlines(), key=lambda line: line.count("\t")):
        if tabs:
            lines += table([line.split("\t") for line in group])
        else:
            lines += [part for line in group for part in _folded(line, WIDTH, indent="    ")]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def table(rows: list[list[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        widths[widths.index(max(widths))] -= 1
    for row in rows:
        cells = [_folded(cell, width) for cell, width in zip(row, widths, strict=True)]
        for parts in itertools.zip_longest(*cells, fillvalue=""):
            yield "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True))


def _folded(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True) or [""]


def main() -> int:
    before = README.read_text("utf-8")
    head, begin, rest = before.partition(BEGIN)
    old, end, tail = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{README} lacks one of the two markers: {BEGIN}{END}")
    new = transcript()
    if sys.argv[1:] == ["--check"]:
        diff = difflib.unified_diff(old.splitlines(True), new.splitlines(True), "README.md", "a real run")
        sys.stdout.writelines(diff)
        return int(old != new)
    README.write_text(head + begin + new + end + tail, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
