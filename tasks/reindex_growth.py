"""How indexes grow from night to night: what is put on record of that, and how far it is on the way to a rebuild."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import groupby
from operator import itemgetter

from maintainer import sdk
from tasks.reindex_facts import (
    BUILT_FULL,
    DENSITY,
    FULL,
    GAIN_SHARE,
    MEASURED_AT,
    MEASURED_BUILD,
    RATIO,
    WORTH_IT,
    Index,
    ReindexFacts,
    build_of,
)


def ratios(judged: Iterable[Index], facts: ReindexFacts) -> Iterator[sdk.Measurement]:
    """Best ratios, and now and then those of what nothing measures, where the rows were counted lately."""
    for index in judged:
        ratio, best = index.bytes_per_row, facts.best_ratio(index)
        if not ratio or index.is_stale:
            continue
        turn = _is_its_turn(index, facts)
        if best is None or ratio < best or turn:
            yield sdk.Measurement(name=RATIO, subject=index.build, value=round(ratio, 2))
        if turn:
            yield sdk.Measurement(name=MEASURED_AT, subject=index.build, value=round(facts.observed_at.timestamp(), 3))


def wear(marks: Iterable[sdk.Mark], sparse: float, growth: float) -> Iterator[sdk.Wear]:
    """How far each index was on its way, since it is the build that it is: by its leaf pages, else by its growth."""
    told = sorted(((*build_of(mark), mark) for mark in marks), key=lambda one: (one[0], one[2].at))
    for subject, each in groupby(told, key=itemgetter(0)):
        seen = [(build, mark) for _, build, mark in each]
        newest = next((build for build, _ in reversed(seen) if build), None)
        here = [mark for build, mark in seen if build == newest]
        gained = [mark.values[GAIN_SHARE] for _, mark in seen if GAIN_SHARE in mark.values]
        by_growth = [] if gained and gained[-1] < WORTH_IT else _larger(subject, here, growth)
        yield from list(_sparser(subject, here, sparse)) or by_growth


def _sparser(subject: str, marks: list[sdk.Mark], sparse: float) -> Iterator[sdk.Wear]:
    for mark in marks:
        if DENSITY in mark.values:
            full = mark.values.get(BUILT_FULL, FULL)
            yield sdk.Wear(subject, mark.at, (full - mark.values[DENSITY]) / (full - sparse * full / FULL))


def _larger(subject: str, marks: list[sdk.Mark], growth: float) -> Iterator[sdk.Wear]:
    """From the best ratio on."""
    sizes = [(mark.values[RATIO], mark.at) for mark in marks if RATIO in mark.values]
    if sizes:
        best = min(ratio for ratio, _ in sizes)
        start = next(place for place, (ratio, _) in enumerate(sizes) if ratio == best)
        for ratio, at in sizes[start:]:
            yield sdk.Wear(subject, at, (ratio / best - 1) / (growth - 1) if best else 0.0)


def _is_its_turn(index: Index, facts: ReindexFacts) -> bool:
    if index.subject in facts.densities or facts.measured_now(index) is not None:
        return False
    known = facts.measured_at.get(index.build)
    return known is None or facts.observed_at.timestamp() - known.last >= TURN.total_seconds()


MARKS = (DENSITY, MEASURED_BUILD, BUILT_FULL, RATIO, GAIN_SHARE)
TURN = timedelta(days=6.5)
"""About weekly: of five thousand indexes, each would be a record a night."""
