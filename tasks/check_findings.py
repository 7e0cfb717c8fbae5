"""What db-check tells: damage, pages that do not fit their checksums, changed collations, and what nobody can check."""

import datetime as dt
from collections.abc import Iterator
from itertools import groupby

from maintainer import sdk
from tasks.check_facts import HEAP_SINCE, CheckFacts, Drift, Relation
from tasks.reindex_facts import ROOM

NAMED = 20


def damaged(facts: CheckFacts) -> Iterator[sdk.Finding]:
    """Also of those that cannot be looked at now: what was found stays so until a check says otherwise."""
    for relation in facts.relations:
        damage = facts.damage_of(relation.subject)
        if damage is None or not facts.is_damaged(relation.subject):
            continue
        evidence: dict[str, sdk.JsonValue] = {"found": damage.name.lower(), "bytes": relation.bytes}
        cause = f"{relation.kind}-damaged"
        yield sdk.Finding(
            severity=sdk.Severity.CRITICAL,
            cause=cause,
            subject=relation.subject,
            evidence=evidence,
            advice=ADVICE[cause],
        )


def not_now(facts: CheckFacts) -> Iterator[sdk.Finding]:
    taken = [one for one in facts.relations if one.bytes is None]
    if taken:
        yield sdk.Finding(
            severity=sdk.Severity.INFO,
            cause="check-not-now",
            subject="database",
            evidence={"relations": len(taken), "first": [one.subject for one in taken[:NAMED]]},
            advice="somebody has them to himself (ACCESS EXCLUSIVE, see pg_locks), so that nobody can look at them now:"
            " they have their turn when he is done; what is on record of them is told meanwhile",
        )


def not_checked(facts: CheckFacts) -> Iterator[sdk.Finding]:
    failed = [one for one in facts.relations if facts.told_nothing(one.subject)]
    if failed:
        yield sdk.Finding(
            severity=sdk.Severity.WARNING,
            cause="check-failed",
            subject="database",
            evidence={"relations": len(failed), "first": [one.subject for one in failed[:NAMED]]},
            advice="whether these are sound could not be told, in their time or at all: it is tried again a week later,"
            " after all others; or call bt_index_check or verify_heapam by hand",
        )


def no_room(indexes: list[Relation]) -> Iterator[sdk.Finding]:
    if indexes:
        yield sdk.Finding(
            severity=sdk.Severity.WARNING,
            cause="rebuild-no-room",
            subject="database",
            evidence={"indexes": len(indexes), "bytes": sum(one.rebuilds or 0 for one in indexes)},
            advice=f"they are damaged, and a rebuild needs up to {ROOM} times their size where indexes lie: make room",
        )


def overdue(facts: CheckFacts, period: dt.timedelta) -> Iterator[sdk.Finding]:
    late = [one for one in facts.relations if facts.last_check(one.subject) and facts.age(one.subject) > period]
    if late:
        oldest = max(facts.age(one.subject).days for one in late)
        yield sdk.Finding(
            severity=sdk.Severity.WARNING,
            cause="check-overdue",
            subject="database",
            evidence={"relations": len(late), "oldest_days": oldest, "bytes": sum(one.size for one in late)},
            advice="there is too little time for it: give the task a longer window, or raise check_all_within",
        )


def checksums(facts: CheckFacts) -> Iterator[sdk.Finding]:
    for one in facts.checksums:
        if one.failures:
            name = sdk.quoted(one.name) if one.name else "shared by all"
            yield sdk.Finding(
                severity=sdk.Severity.CRITICAL,
                cause="checksum-failures",
                subject=f"database {name}",
                evidence={"failures": one.failures, "last": one.last_failure},
                advice="the disk has given back other bytes than were written: see the server's log for which file,"
                " take a backup that is known to be good, and look at disk and memory; the count stays until the"
                " statistics of that database are reset (pg_stat_reset)",
            )


def collations(facts: CheckFacts) -> Iterator[sdk.Finding]:
    for name, group in groupby(facts.drift, key=lambda one: one.collation):
        indexes: list[Drift] = list(group)
        of_database = "ALTER DATABASE … REFRESH COLLATION VERSION"
        refresh = of_database if name == "default" else "ALTER COLLATION … REFRESH VERSION"
        yield sdk.Finding(
            severity=sdk.Severity.CRITICAL,
            cause="collation-drift",
            subject=f"collation {sdk.quoted(name)}",
            evidence={
                "was": indexes[0].recorded,
                "is": indexes[0].actual,
                "indexes": len(indexes),
                "first": [one.subject for one in indexes[:NAMED]],
            },
            advice="an update of the system sorts texts in another way than these indexes: rebuild them all"
            f" (REINDEX INDEX CONCURRENTLY), then {refresh}; they are checked first until then",
        )


def cannot_tell(facts: CheckFacts) -> Iterator[sdk.Finding]:
    server, callable_ = facts.server[0], facts.functions_by_name
    missing = [name for name in ("bt_index_check", "verify_heapam") if name not in callable_]
    if server.version < HEAP_SINCE and "verify_heapam" in missing:
        missing.remove("verify_heapam")
        yield _unknown("tables", "no extension of this version can check tables: update to PostgreSQL 14 or later")
    if missing:
        yield _unknown(", ".join(missing), GRANT)
    if any(one.failures is None for one in facts.checksums):
        yield _unknown(
            "data checksums", "they are off: enable them (pg_checksums, in an outage), or damage goes unnoticed"
        )
    if server.version < COLLATION_SINCE:
        yield _unknown(
            "default collation",
            "before PostgreSQL 15 nobody wrote down by which version of the system a database is sorted:"
            " after an update of the system, rebuild the indexes on texts",
        )


def _unknown(what: str, advice: str) -> sdk.Finding:
    evidence: dict[str, sdk.JsonValue] = {"what": what}
    return sdk.Finding(
        severity=sdk.Severity.INFO, cause="check-not-possible", subject="database", evidence=evidence, advice=advice
    )


GRANT = (
    "CREATE EXTENSION amcheck; GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean), verify_heapam"
    " TO the role of [nodes.….database]"
)
ADVICE = {
    "index-damaged": "queries that use it may miss rows or find wrong ones: it is rebuilt from its table once that is"
    " known to be sound, unless it is a catalog's, a TOAST table's or another role's, which a person must do"
    " (REINDEX); find out why it is damaged (disk, memory, an update of the system)",
    "table-damaged": "nothing here repairs a table: stop what writes to it, keep a copy of the files as they are,"
    " restore from a backup or use the standby; then look at disk and memory",
}
COLLATION_SINCE = 150000
