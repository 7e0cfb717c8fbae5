"""How long `maintainer --help` takes, beside `python -c "import click"`, which is the least it could take.

    python bench/help.py [TIMES]

The two alternate, and the median of each counts; the rest of the machine matters more than the program otherwise.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

TARGET = 0.150  # seconds

COMMANDS: dict[str, Sequence[str]] = {
    'python -c "import click"': [sys.executable, "-c", "import click"],
    "maintainer --help": [str(Path(sys.executable).with_name("maintainer")), "--help"],
    "python -m maintainer --help": [sys.executable, "-m", "maintainer", "--help"],
}


def seconds(argv: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    return time.perf_counter() - begun


def main(times: int) -> None:
    for argv in COMMANDS.values():
        seconds(argv)  # compiles what is not compiled yet
    rounds = [[seconds(argv) for argv in COMMANDS.values()] for _ in range(times)]
    medians = [median(column) for column in zip(*rounds, strict=True)]
    for name, took in zip(COMMANDS, medians, strict=True):
        print(f"{name:<28} {took * 1000:6.0f} ms  {took / medians[0]:.2f} times import click")
    print(f"target: at most {TARGET * 1000:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
