"""Which indexes are measured tonight, and how long what was measured stands.

To measure an index is to read it whole. What was measured goes on record, and stands until the index is another build
or the server counts other rows in it; beyond a night, it is measured again in its turn, the oldest first.
"""

from collections.abc import Iterator
from datetime import timedelta

from maintainer import sdk
from tasks.reindex_facts import BUILT_FULL, DENSITY, MEASURED_AT, MEASURED_BUILD, MEASURED_ROWS, Index, ReindexFacts


def to_measure(judged: list[Index], sparse: float, budget: int, facts: ReindexFacts) -> list[Index]:
    """Choose as many as fit: what was rebuilt since, what was found sparse and is not yet rebuilt, then the oldest.

    What was measured tonight counts as well: a look after a step goes on where the one before it stopped.
    """
    trees = [index for index in judged if index.method == "btree"]
    waiting = [index for index in trees if not (_is_fresh(index, facts) and facts.stands(index))]
    rebuilt = [index for index in waiting if _was_rebuilt(index, facts)]
    left = budget - sum(index.size for index in trees if _is_fresh(index, facts))
    others = sorted(
        (index for index in waiting if index not in rebuilt and index.size <= budget),
        key=lambda index: (
            not _was_sparse(index, sparse, facts),
            _at(index, facts),
            -(index.bytes_per_row or index.size),
        ),
    )
    return rebuilt + list(_as_far_as(left, others))


def measured(facts: ReindexFacts) -> Iterator[sdk.Measurement]:
    """Put on record what this look has measured."""
    for index in facts.indexes:
        density = facts.measured_now(index)
        if density is not None:
            yield sdk.Measurement(name=DENSITY, subject=index.subject, value=round(density, 4))
            yield sdk.Measurement(name=MEASURED_BUILD, subject=index.subject, value=index.filenode)
            if index.fillfactor:
                yield sdk.Measurement(name=BUILT_FULL, subject=index.subject, value=index.fillfactor)
            yield sdk.Measurement(name=MEASURED_ROWS, subject=index.subject, value=index.rows)
            yield sdk.Measurement(
                name=MEASURED_AT, subject=index.subject, value=round(facts.observed_at.timestamp(), 3)
            )


def cannot_tell(judged: list[Index], budget: int, facts: ReindexFacts) -> Iterator[sdk.Finding]:
    """Say of how many nobody knows whether they are bloated, and what helps against it."""
    blind = [one for one in judged if facts.leaf_density(one) is None and facts.best_ratio(one) is None]
    groups: dict[str, list[Index]] = {}
    for one in blind:
        groups.setdefault(_what_helps(one, budget, facts), []).append(one)
    for advice, found in groups.items():
        evidence: dict[str, sdk.JsonValue] = {"indexes": len(found), "bytes": sum(index.size for index in found)}
        yield sdk.Finding(
            severity=sdk.Severity.INFO,
            cause="index-bloat-unknown",
            subject="database",
            evidence=evidence,
            advice=advice,
        )


def _what_helps(index: Index, budget: int, facts: ReindexFacts) -> str:
    if index.method != "btree":
        return GROWTH_ALONE
    if facts.density == ():
        return EXTENSION
    return LARGE if index.size > budget else LATER


def _as_far_as(left: int, indexes: list[Index]) -> Iterator[Index]:
    for index in indexes:
        if index.size > left:
            return
        left -= index.size
        yield index


def _at(index: Index, facts: ReindexFacts) -> float:
    known = facts.measured_at.get(index.subject)
    return known.last if known else 0.0


def _is_fresh(index: Index, facts: ReindexFacts) -> bool:
    return facts.observed_at.timestamp() - _at(index, facts) < TONIGHT.total_seconds()


def _was_rebuilt(index: Index, facts: ReindexFacts) -> bool:
    known = facts.measured_builds.get(index.subject)
    return known is not None and known.last != index.filenode


def _was_sparse(index: Index, sparse: float, facts: ReindexFacts) -> bool:
    known = facts.densities.get(index.subject)
    return known is not None and known.last < sparse and index.permitted


TONIGHT = timedelta(hours=20)
"""A run of the next night begins later than that after one of this night."""
EXTENSION = (
    "CREATE EXTENSION pgstattuple and GRANT pg_stat_scan_tables to measure now; without it, growth is judged from the"
    " next run on"
)
GROWTH_ALONE = "nothing measures how full a GIN, GiST, SP-GiST or hash index is: growth is judged from the next run on"
LARGE = "larger than measure_up_to: raise it to measure them; until then, growth is judged from the next run on"
LATER = "they are measured in the next nights: raise measure_up_to to have it sooner"
