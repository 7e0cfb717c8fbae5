"""What db-reindex tells of indexes that are due: those that cannot be rebuilt, and what a rebuild would come to."""

from collections.abc import Iterator

from maintainer import sdk
from tasks.reindex_facts import ROOM, Index, ReindexFacts

FELT = 1_000_000_000
"""From this size on, to discard a file keeps the disk busy for a good part of a second (measured: 0.2 s a GB)."""


def not_done(due: list[Index], facts: ReindexFacts) -> Iterator[sdk.Finding]:
    """What is due and cannot be done; what can be done without knowing of its room, or will be felt when it is done."""
    lacking = [index for index in due if not index.permitted]
    if lacking:
        advice = (
            "GRANT pg_maintain (PostgreSQL 17 and later) or the role of the owner to the role of [nodes.….database]"
        )
        yield _about(lacking, "reindex-not-permitted", sdk.Severity.WARNING, advice)
    tight = [index for index in due if facts.lacks_room(index)]
    if tight:
        advice = f"a rebuild needs up to {ROOM} times the index's size where the database's files lie: make room"
        yield _about(tight, "reindex-no-room", sdk.Severity.WARNING, advice)
    unknown = [index for index in due if (index.place or "") not in facts.room]
    if unknown:
        advice = "cannot tell how much room there is: the server's files lie on another machine, or out of sight there"
        yield _about(unknown, "reindex-room-unknown", sdk.Severity.INFO, advice)
    felt = [index for index in due if index.size >= FELT and facts.is_discarded(index)]
    if felt:
        advice = (
            "an old index that goes is discarded on the disk at once, and meanwhile the clinic's commits wait for it:"
            " mount the database's disk without discard, and enable fstrim.timer"
        )
        yield _about(felt, "reindex-disk-discards", sdk.Severity.INFO, advice)


def _about(indexes: list[Index], cause: str, severity: sdk.Severity, advice: str) -> sdk.Finding:
    evidence: dict[str, sdk.JsonValue] = {"indexes": len(indexes), "bytes": sum(index.size for index in indexes)}
    return sdk.Finding(severity=severity, cause=cause, subject="database", evidence=evidence, advice=advice)
