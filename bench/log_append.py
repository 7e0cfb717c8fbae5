"""How much the intervention log adds to what the disk itself takes for a durable write.

    python -m bench.log_append [ROUNDS] [FOLDER]

The log appends steps' intents and outcomes, 25 of each; then a bare loop of `write` and `fdatasync` puts the
very same bytes into a file beside it. The two alternate, and the median of the rounds' ratios counts: the disk of a
machine with other work is now slow, now fast.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.table import Row, duration
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Fields, Kind
from maintainer.model.plan import Risk

ROUNDS, STEPS = 100, 25
TARGET = 0.8  # times the speed of the bare loop

STEP = Fields(node="pacs-a", task="db-vacuum", subject="public.study", step="step-0123456789abcdef")
INTENT = Fields(**STEP, title="VACUUM (ANALYZE) public.study", risk=Risk.SLOWER, plan="5c0f2f1b", window="night")
OUTCOME = Fields(**STEP, ending="done", measured={"seconds": 1.25})


def rows() -> Iterator[Row]:
    ours, bare, ratio = measure(ROUNDS, None)
    peer = f"write + fdatasync {duration(bare)}"
    yield Row("log: durable append", duration(ours), peer, ratio, f"at least {TARGET:g} x its speed", ratio >= TARGET)


def measure(rounds: int, folder: str | None) -> tuple[float, float, float]:
    """Give the seconds of one append by the log and of one by hand, and the log's speed as a part of the other."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as name,
        InterventionLog.open(Path(name), origin="site-a") as log,
        (Path(name) / "interventions.jsonl").open("rb") as journal,
        (Path(name) / "bare").open("ab", buffering=0) as bare,
    ):
        pairs = [(logged(log), by_hand(bare.fileno(), journal.readlines())) for _ in range(rounds)]
    ours, bare_hand = (median(times) / (2 * STEPS) for times in zip(*pairs, strict=True))
    return ours, bare_hand, median(hand / own for own, hand in pairs)


def logged(log: InterventionLog) -> float:
    begun = time.perf_counter()
    for _ in range(STEPS):
        log.append(Kind.INTENT, run="r1", **INTENT)
        log.append(Kind.OUTCOME, run="r1", **OUTCOME)
    return time.perf_counter() - begun


def by_hand(descriptor: int, lines: list[bytes]) -> float:
    begun = time.perf_counter()
    for line in lines:
        os.write(descriptor, line)
        os.fdatasync(descriptor)
    return time.perf_counter() - begun


if __name__ == "__main__":
    ours_, bare_, ratio_ = measure(
        int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS,
        sys.argv[2] if len(sys.argv) > 2 else None,  # noqa: PLR2004 (argv)
    )
    print(f"append {duration(ours_)}, write + fdatasync {duration(bare_)}: {ratio_:.2f} x its speed")
