"""What db-settings tells of sessions, slots and standbys: who keeps others waiting, and who keeps dead rows and WAL.

Nothing that a session runs is told: it holds what patients are called.
"""

from collections.abc import Iterator
from datetime import timedelta

from maintainer import sdk
from tasks.settings_facts import SettingsFacts


def locks(facts: SettingsFacts) -> Iterator[sdk.Finding]:
    for lock in facts.locks:
        if lock.seconds is not None:
            yield sdk.Finding(
                severity=sdk.Severity.WARNING,
                cause="lock-held-long" if lock.granted else "lock-waited-for",
                subject=lock.subject,
                evidence={
                    "seconds": round(lock.seconds),
                    "lock": lock.kind,
                    "mode": lock.mode,
                    "application": lock.application,
                    "sessions": lock.sessions,
                },
                advice=HELD if lock.granted else WAITS,
            )


def transactions(facts: SettingsFacts, longest: timedelta) -> Iterator[sdk.Finding]:
    server, limit = facts.server[0], longest.total_seconds()
    if not server.sees_all_sessions:
        hidden: dict[str, sdk.JsonValue] = {
            "locks": sum(lock.seconds is None for lock in facts.locks),
            "standbys": sum(one.kind == "standby" and one.behind_bytes is None for one in facts.replicas),
        }
        yield _about("database", "sessions-unreadable", hidden, UNSEEN, sdk.Severity.INFO)
    elif server.oldest_transaction_seconds > limit:
        seconds = {"seconds": round(server.oldest_transaction_seconds)}
        yield _about("database", "transaction-open-long", {**seconds}, OPEN)
    prepared = [one.seconds or 0 for one in facts.horizon if one.kind == "prepared" and (one.seconds or 0) > limit]
    if prepared:
        waiting: dict[str, sdk.JsonValue] = {"transactions": len(prepared), "seconds": round(max(prepared))}
        yield _about("database", "transaction-prepared-long", waiting, PREPARED)


def standbys(facts: SettingsFacts, most_wal: int, most_transactions: int) -> Iterator[sdk.Finding]:
    for one in facts.replicas:
        if one.kind == "standby" and (one.behind_bytes or 0) >= most_wal:
            behind: dict[str, sdk.JsonValue] = {"bytes": int(one.behind_bytes or 0)}
            yield _about(f"standby {one.name}", "standby-behind", behind, BEHIND)
    for holder in facts.horizon:
        if holder.kind == "standby" and holder.transactions > most_transactions:
            held: dict[str, sdk.JsonValue] = {"transactions": holder.transactions}
            yield _about(f"standby {holder.name}", "dead-rows-kept", held, STANDBY_KEEPS)


def slots(facts: SettingsFacts, most_wal: int, most_transactions: int) -> Iterator[sdk.Finding]:
    for slot in facts.slots:
        subject, consumer = f"replication slot {slot.name}", {"active": slot.active}
        if slot.wal == "lost":
            lost: dict[str, sdk.JsonValue] = {"because": slot.because, **consumer}
            yield _about(subject, "slot-lost", lost, LOST, sdk.Severity.CRITICAL)
            continue  # it keeps nothing any more
        if slot.wal == "unreserved":
            yield _about(subject, "slot-loses-wal", {"bytes": slot.bytes, **consumer}, LOSES_WAL)
        if slot.bytes is not None and slot.bytes >= most_wal:
            severity = sdk.Severity.WARNING if slot.active else sdk.Severity.CRITICAL
            yield _about(subject, "slot-keeps-wal", {"bytes": slot.bytes, **consumer}, KEEPS_WAL, severity)
        if slot.transactions is not None and slot.transactions > most_transactions:
            yield _about(subject, "dead-rows-kept", {"transactions": slot.transactions, **consumer}, SLOT_KEEPS)


def _about(
    subject: str,
    cause: str,
    evidence: dict[str, sdk.JsonValue],
    advice: str,
    severity: sdk.Severity = sdk.Severity.WARNING,
) -> sdk.Finding:
    return sdk.Finding(severity=severity, cause=cause, subject=subject, evidence=evidence, advice=advice)


HELD = "what others want to read or write there waits: find out whose transaction it is (pg_locks), and have it ended"
WAITS = "find out who blocks it: pg_blocking_pids, pg_locks"
UNSEEN = (
    "how old the oldest transaction is, since when locks are held and how far standbys are behind cannot be told:"
    " GRANT pg_monitor to the role of [nodes.….database]"
)
OPEN = "no dead row that is younger can be removed: end it (pg_stat_activity shows whose it is)"
PREPARED = "it keeps its locks and every younger dead row: COMMIT PREPARED or ROLLBACK PREPARED it (pg_prepared_xacts)"
BEHIND = "it is of little use in a failure: see what it waits for (pg_stat_replication), its disk and the line to it"
STANDBY_KEEPS = "dead rows stay because of a query there (hot_standby_feedback): end it"
KEEPS_WAL = (
    "the disk of the WAL fills up until the database stops: let its consumer catch up, or drop it"
    " (pg_drop_replication_slot) if the consumer is gone for good: one that comes back must be set up anew"
)
LOSES_WAL = (
    "what its consumer has yet to read is beyond max_slot_wal_keep_size: the next checkpoint may remove it, and then"
    " the slot is lost; let its consumer catch up at once, or raise that limit where the disk of the WAL has room"
)
LOST = (
    "its consumer can never go on from there: set the standby or subscriber up anew, then drop the slot"
    " (pg_drop_replication_slot), or drop it if the consumer is gone for good"
)
SLOT_KEEPS = "dead rows stay because of it: let its consumer catch up, or drop it if the consumer is gone for good"
