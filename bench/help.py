"""How long `maintainer --help` takes, beside `python -c "import click"`, which is the least it could take.

    python -m bench.help [TIMES]

The two alternate, and the median of each counts; the rest of the machine matters more than the program otherwise.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from bench.table import Row, duration, within

TIMES = 20
TARGET = 150  # milliseconds

COMMANDS: dict[str, Sequence[str]] = {
    'python -c "import click"': [sys.executable, "-c", "import click"],
    "maintainer --help": [str(Path(sys.executable).with_name("maintainer")), "--help"],
    "python -m maintainer --help": [sys.executable, "-m", "maintainer", "--help"],
}


def seconds(argv: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    return time.perf_counter() - begun


def rows() -> Iterator[Row]:
    took = medians(TIMES)
    least, ours = took['python -c "import click"'], took["maintainer --help"]
    row = within("maintainer --help", ours * 1000, "ms", at_most=TARGET)
    yield row._replace(peer=f"import click {duration(least)}", ratio=ours / least)


def medians(times: int) -> dict[str, float]:
    for argv in COMMANDS.values():
        seconds(argv)  # compiles what is not compiled yet
    rounds = [[seconds(argv) for argv in COMMANDS.values()] for _ in range(times)]
    return dict(zip(COMMANDS, map(median, zip(*rounds, strict=True)), strict=True))


if __name__ == "__main__":
    for name, took_ in medians(int(sys.argv[1]) if len(sys.argv) > 1 else TIMES).items():
        print(f"{name:<28} {duration(took_)}")
