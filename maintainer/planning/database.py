"""What every database task must know before it touches a server."""

from collections.abc import Iterable
from datetime import timedelta
from importlib.resources import files
from typing import Literal

from maintainer.model.action import Setting
from maintainer.model.plan import Refuse, Step
from maintainer.model.task import Seen, SqlQuery
from maintainer.model.values import write_duration

_SQL = files("maintainer.planning") / "sql"
SERVER = SqlQuery(text=(_SQL / "server.sql").read_text("utf-8"))
HORIZON = SqlQuery(text=(_SQL / "horizon.sql").read_text("utf-8"))
ON_A_STANDBY = "what only reads can run here: db-check, db-settings"


class DatabaseServer(Seen):
    """One row of `SERVER`. `active_clients`: sessions that ran a statement within the last second, without ours."""

    standby: bool
    version: int
    sees_all_sessions: bool
    oldest_transaction_seconds: float
    active_clients: int = 0
    counts_rows: bool = True
    prepares_transactions: bool = True


class Holder(Seen):
    """One row of `HORIZON`. `transactions`: how many have begun since; what they deleted cannot be removed."""

    kind: Literal["prepared", "slot", "standby"]
    name: str
    seconds: float | None
    transactions: int


def not_now(server: DatabaseServer, longest_transaction: timedelta, task: str) -> Refuse | None:
    """Refuse maintenance that would be useless or would wait for somebody."""
    if server.standby:
        return Refuse(
            because="this server is a standby: it repeats what its primary does",
            hint=f"put the primary in the inventory, or limit [tasks.{task}] to it with nodes = […]; {ON_A_STANDBY}",
        )
    if not server.sees_all_sessions:
        return Refuse(
            because="cannot tell how old the oldest transaction is: the role may not see other sessions",
            hint="GRANT pg_monitor to the role of [nodes.….database]",
        )
    if server.oldest_transaction_seconds > longest_transaction.total_seconds():
        age = timedelta(seconds=int(server.oldest_transaction_seconds))
        return Refuse(
            because=f"a transaction has been open for {write_duration(age)}",
            hint=f"end it (pg_stat_activity shows whose it is), or raise longest_transaction in [tasks.{task}]",
        )
    return None


def prepared_for_long(holders: Iterable[Holder], longest: timedelta, task: str) -> Refuse | None:
    """Refuse while a prepared transaction waits for its COMMIT PREPARED: it holds its locks and its snapshot."""
    waiting = [one for one in holders if one.kind == "prepared" and (one.seconds or 0) > longest.total_seconds()]
    if not waiting:
        return None
    oldest = max(waiting, key=lambda one: one.seconds or 0)
    age = timedelta(seconds=int(oldest.seconds or 0))
    return Refuse(
        because=f"a transaction prepared by {oldest.name} has waited for {write_duration(age)}",
        hint="COMMIT PREPARED or ROLLBACK PREPARED it (pg_prepared_xacts shows which),"
        f" or raise longest_transaction in [tasks.{task}]",
    )


def held_back(holders: Iterable[Holder], most: int, task: str) -> Refuse | None:
    """Refuse to vacuum while a replication slot or a standby keeps the dead rows of more than `most` transactions."""
    holding = [one for one in holders if one.kind != "prepared" and one.transactions > most]
    if not holding:
        return None
    worst = max(holding, key=lambda one: one.transactions)
    what, hint = _HOLDS[worst.kind]
    return Refuse(
        because=f"{what} {worst.name} holds back {worst.transactions:,} transactions: little could be removed",
        hint=f"{hint}, or raise held_back in [tasks.{task}]",
    )


def builds_corrupt(server: DatabaseServer) -> Refuse | None:
    """Refuse to build an index where CONCURRENTLY can miss rows.

    Source: release notes of PostgreSQL 14.4; of 12.9, 13.5 and 14.1 for rows of prepared transactions.
    """
    if server.version in _CORRUPTING:
        what, newest = "PostgreSQL 14.0 to 14.3 can build corrupt indexes with CONCURRENTLY", "14.x"
    elif server.prepares_transactions and any(server.version in versions for versions in _MISSING_PREPARED):
        what = "with prepared transactions, this version can build indexes with CONCURRENTLY that miss rows"
        newest = f"{server.version // 10000}.x"
    else:
        return None
    return Refuse(
        because=what, hint=f"update the server to the newest {newest} first; then check its indexes with amcheck"
    )


def pace(server: DatabaseServer) -> dict[Setting, int | str]:
    """Say how much of the server a statement may take: while the clinic works, one process."""
    return {"max_parallel_maintenance_workers": 0} if server.active_clients >= BUSY else {}


def vacuum_pace(server: DatabaseServer) -> dict[Setting, int | str]:
    """Say how fast a vacuum may read and write besides: while the clinic works, no faster than autovacuum.

    Source: PostgreSQL manual, "Cost-based Vacuum Delay". A limit of 200 every 2 ms dirties 40 MB a second at most.
    """
    limit = 200 if server.active_clients >= BUSY else 1000
    return {"vacuum_cost_delay": "2ms", "vacuum_cost_limit": limit, **pace(server)}


def subjects(steps: Iterable[Step]) -> tuple[str, ...]:
    """Name what is due, for a refusal that knows."""
    return tuple(dict.fromkeys(step.subject for step in steps))


def quoted(*names: str) -> str:
    """Write a name as SQL wants it, whatever it contains.

    >>> quoted("public", "Study")
    '"public"."Study"'
    """
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


BUSY = 2
"""From how many sessions at work on the clinic counts as busy."""
_CORRUPTING = range(140000, 140004)
_MISSING_PREPARED = (range(120000, 120009), range(130000, 130005), range(140000, 140001))
_HOLDS = {
    "slot": ("replication slot", "let its consumer catch up, or drop it if that is gone (pg_replication_slots)"),
    "standby": ("standby", "end the long query there (hot_standby_feedback keeps rows for it)"),
}
