"""The row that a benchmark yields, and the one table of them that `make bench` prints.

A benchmark is a module of this folder with a function `rows() -> Iterable[Row]`. It runs in a process of its own, may
print what it likes on the way, and leaves nothing behind when it ends, fails or is told to end (SIGTERM).
"""

from collections.abc import Iterable
from typing import NamedTuple


class Row(NamedTuple):
    """One figure. `ok` is None where it could not be measured; `target` then says what is missing."""

    name: str
    ours: str
    peer: str
    ratio: float | None
    target: str
    ok: bool | None


def times_of_peer(name: str, ours: float, peer_name: str, peer: float, *, at_most: float) -> Row:
    """Compare seconds: how many times as long as the peer ours may take."""
    ratio = ours / peer
    return Row(name, duration(ours), f"{peer_name} {duration(peer)}", ratio, f"at most {at_most:g} x", ratio <= at_most)


def times_faster(name: str, ours: float, peer_name: str, peer: float, *, at_least: float) -> Row:
    """Compare seconds: how many times faster than the peer ours must be."""
    ratio = peer / ours
    target = f"at least {at_least:g} x faster"
    return Row(name, duration(ours), f"{peer_name} {duration(peer)}", ratio, target, ratio >= at_least)


def within(name: str, ours: float, unit: str, *, at_most: float) -> Row:
    """Compare a figure with a fixed bound in the same unit."""
    return Row(name, f"{ours:.3g} {unit}", "", None, f"at most {at_most:g} {unit}", ours <= at_most)


def not_measured(name: str, why: str) -> Row:
    return Row(name, "", "", None, why, None)


def duration(seconds: float) -> str:
    """Write seconds in the unit in which they are read.

    >>> duration(0.000107), duration(0.0532), duration(12.34)
    ('107 µs', '53.2 ms', '12.3 s')
    """
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


HEAD = ("figure", "ours", "peer", "ratio", "target", "met", "load")
WORDS = {True: "yes", False: "NO", None: "not measured"}


def table(measured: Iterable[tuple[Row, float]]) -> str:
    """Set rows, each with the load average of its moment, in columns."""
    lines = [HEAD, *(_cells(row, load) for row, load in measured)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cells(row: Row, load: float) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return row.name, row.ours, row.peer, ratio, row.target, WORDS[row.ok], f"{load:.1f}"
