"""Whether the clinic's statements take longer than they use to, by what the server counts of them."""

import math
from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

SCHEMA = (files("maintainer.planning") / "sql" / "statements_schema.sql").read_text("utf-8")
STATEMENTS = (files("maintainer.planning") / "sql" / "statements.sql").read_text("utf-8")
SLOWER = 2.0
"""From how many times their usual duration on statements count as slower."""
NOTICED = 1.0
"""Milliseconds for each call that nobody would notice."""
FEWEST = 30
"""Calls of which too little can be told."""
BY_CHANCE = 3.0
"""Standard errors by which a sum may differ by chance."""


class Timing(NamedTuple):
    """What a server has counted of one statement since it counts. Durations in milliseconds."""

    calls: int
    total: float
    stddev: float


class Slowdown(NamedTuple):
    """`times`: of their usual duration. `calls`: of how many calls that is known."""

    times: float
    calls: int


def slowdown(before: Mapping[str, Timing], after: Mapping[str, Timing]) -> Slowdown | None:
    """Compare how long calls between two readings took with how long as many of the same statements took before.

    A server keeps no percentiles, but mean and standard deviation: by these, what differs by chance is left out.

    >>> usual = {"1": Timing(1000, 2000.0, 1.0)}
    >>> slowdown(usual, {"1": Timing(1100, 2000.0 + 900.0, 1.0)})
    Slowdown(times=4.5, calls=100)
    >>> slowdown(usual, {"1": Timing(1100, 2000.0 + 300.0, 1.0)})
    """
    calls, took, usually, variance = 0, 0.0, 0.0, 0.0
    for key, then in before.items():
        now = after.get(key, then)
        new = now.calls - then.calls
        if new > 0:
            calls += new
            took += now.total - then.total
            usually += new * then.total / then.calls
            variance += new * then.stddev**2
    excess = took - usually
    if calls < FEWEST or excess < max(NOTICED * calls, (SLOWER - 1) * usually, BY_CHANCE * math.sqrt(variance)):
        return None
    return Slowdown(round(took / max(usually, 0.001 * calls), 1), calls)
