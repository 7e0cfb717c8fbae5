"""Indexes that a build which did not end has left: ours are dropped, those of others are told of."""

from collections.abc import Iterator
from datetime import timedelta

from maintainer import sdk
from tasks.reindex_facts import LEFTOVER, Index, ReindexFacts


def ours(index: Index, facts: ReindexFacts) -> bool:
    """Tell whether a rebuild of ours has left it: it came after we had planned one that was not seen to end.

    Once known as ours or as another's, it stays so while the server knows it under the same number.
    """
    if index.schema == TOAST:
        return False  # ours rebuild none
    known = facts.leftovers.get(index.subject)
    if known and abs(known.last) == index.oid:
        return known.last > 0
    return index.kind != "other" and facts.replaced(index.original) is not None


def left(facts: ReindexFacts) -> tuple[Index, ...]:
    """Not valid, and not being built at this moment."""
    return tuple(index for index in facts.indexes if not index.valid and not index.in_work)


def drops(facts: ReindexFacts) -> tuple[sdk.Step, ...]:
    return tuple(_drop(index) for index in left(facts) if ours(index, facts) and index.owned)


def findings(facts: ReindexFacts) -> Iterator[sdk.Finding]:
    for index in left(facts):
        is_ours = ours(index, facts)
        if is_ours and index.owned:
            continue
        yield sdk.Finding(
            severity=sdk.Severity.WARNING,
            cause="index-invalid",
            subject=index.subject,
            evidence={"bytes": index.size, "kind": index.kind, "ours": is_ours, "table": index.table},
            advice=BESIDE_TOAST if index.schema == TOAST else ADVICE[index.kind],
        )


def measured(facts: ReindexFacts) -> Iterator[sdk.Measurement]:
    for index in left(facts):
        value = float(index.oid if ours(index, facts) else -index.oid)
        known = facts.leftovers.get(index.subject)
        if known is None or known.last != value:
            yield sdk.Measurement(name=LEFTOVER, subject=index.subject, value=value)


def _drop(index: Index) -> sdk.Step:
    done = "had ended" if index.kind == "old" else "did not end"
    return sdk.Step(
        subject=index.subject,
        title=f"drop {index.quoted} ({index.size / 1e6:.1f} MB)",
        reason=f"it was left by a rebuild of ours that {done}; it is not valid, and every write still pays for it",
        # Without CONCURRENTLY, it would wait for an exclusive lock, and everybody behind it.
        action=sdk.Sql(text=f"DROP INDEX CONCURRENTLY {index.quoted}"),
        risk=sdk.Risk.SLOWER,
        timeout=timedelta(minutes=10),
    )


TOAST = "pg_toast"
BESIDE_TOAST = (
    "a REINDEX CONCURRENTLY of a whole table did not finish: have a superuser DROP INDEX CONCURRENTLY this one"
)
ADVICE = {
    "new": "a concurrent rebuild did not finish: DROP INDEX CONCURRENTLY this one, then rebuild the original",
    "old": "a concurrent rebuild finished but could not clean up: DROP INDEX CONCURRENTLY this one",
    "other": "a CREATE INDEX CONCURRENTLY did not finish: find out who started it; drop it or REINDEX it",
}
