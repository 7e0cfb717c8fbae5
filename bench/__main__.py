"""All benchmarks one after the other, and one table at the end.

    python -m bench [NAME…]

Each runs in a process of its own, so that its memory is its own, and is ended when it takes too long.
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from types import FrameType
from typing import NoReturn

from bench.table import Row, not_measured, table

BENCHES = {
    "help": 60,
    "log_append": 120,
    "log_verify": 180,
    "store_verify": 300,
    "store_many": 240,
    "store_ledger": 600,
    "store_network": 600,
    "db_observe": 300,
    "db_maintenance": 600,
    "outage": 900,
    "store_service": 900,
    "fleet": 1200,
}
"""The modules, cheapest first, and how many seconds each may take."""

GRACE = 120.0
"""Seconds for a benchmark to take down what it set up."""

Measured = tuple[Row, float]


def main(names: list[str]) -> int:
    if names[:1] == ["--rows"]:
        return _rows(names[1])
    if unknown := set(names) - set(BENCHES):
        print(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    begun = [_bench(name) for name in names or BENCHES]
    print(table(one for measured, _ in begun for one in measured))
    return int(any(why for _, why in begun))


def _rows(name: str) -> int:
    """Print a module's rows as JSON, with the load average when each was measured; all else it prints is for people."""
    signal.signal(signal.SIGTERM, _leave)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)
        for row in importlib.import_module(f"bench.{name}").rows():
            print(json.dumps([row, os.getloadavg()[0]]), file=output, flush=True)
    return 0


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit("ended: it took too long")


def _bench(name: str) -> tuple[list[Measured], str]:
    """Run one; give what it measured and, where that is not all, why."""
    print(f"bench/{name}.py …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "bench", "--rows", name]
    # As an installed program, ours is compiled once and not at each start.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        printed, why = _output(process, BENCHES[name])
    measured = [(Row(*row), load) for row, load in map(json.loads, printed.splitlines())]
    if why:
        measured.append((not_measured(name, why), os.getloadavg()[0]))
    return measured, why


def _output(process: subprocess.Popen[str], seconds: float) -> tuple[str, str]:
    """Read what a benchmark printed, and why it is not all."""
    try:
        printed, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        return _rest(process), f"not done in {seconds:.0f} s"
    except KeyboardInterrupt:  # which the benchmark has heard as well
        _rest(process)
        raise
    return printed, f"failed: {process.returncode}" if process.returncode else ""


def _rest(process: subprocess.Popen[str]) -> str:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.communicate(timeout=GRACE)[0]
    process.kill()
    return process.communicate()[0]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
