"""How much the intervention log adds to what the disk itself takes for a durable write.

    python bench/log_append.py [RECORDS] [FOLDER]

Both write lines of the same length to the same disk and wait for each; rounds alternate, the best of each counts.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind

ROUNDS = 5
TARGET = 2.0  # times the bare loop


def bare(path: Path, line: bytes, count: int) -> float:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    begun = time.perf_counter()
    for _ in range(count):
        os.write(descriptor, line)
        os.fdatasync(descriptor)
    took = time.perf_counter() - begun
    os.close(descriptor)
    return took


def logged(log: InterventionLog, count: int) -> float:
    begun = time.perf_counter()
    for number in range(count):
        log.append(Kind.OUTCOME, run="r1", node="pacs-a", task="db-vacuum", subject="public.study", step=f"s{number}")
    return time.perf_counter() - begun


def best(measure: Callable[[], float]) -> Callable[[], float]:
    times: list[float] = []

    def again() -> float:
        times.append(measure())
        return min(times)

    return again


def main(count: int, folder: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as name, InterventionLog.open(Path(name), origin="site-a") as log:
        log.append(Kind.OUTCOME, run="r1", node="pacs-a", task="db-vacuum", subject="public.study", step="s0")
        line = (Path(name) / "interventions.jsonl").read_bytes()
        by_hand = best(lambda: bare(Path(name) / "bare", line, count))
        by_log = best(lambda: logged(log, count))
        for _ in range(ROUNDS):
            hand, ours = by_hand(), by_log()
    print(f"bare write + fdatasync   {count / hand:9.0f} /s  {hand / count * 1e6:7.0f} µs each")
    print(f"InterventionLog.append   {count / ours:9.0f} /s  {ours / count * 1e6:7.0f} µs each")
    print(f"ratio {ours / hand:.2f} (target: at most {TARGET})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2] if len(sys.argv) > 2 else None)  # noqa: PLR2004 (argv)
