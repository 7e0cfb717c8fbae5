"""What every database task must know before it touches a server."""

from datetime import timedelta
from importlib.resources import files

from maintainer.model.plan import Refuse
from maintainer.model.task import Seen, SqlQuery
from maintainer.model.values import write_duration

SERVER = SqlQuery(text=(files("maintainer.planning") / "sql" / "server.sql").read_text("utf-8"))


class DatabaseServer(Seen):
    """One row of `SERVER`."""

    standby: bool
    version: int
    sees_all_sessions: bool
    oldest_transaction_seconds: float


def not_now(server: DatabaseServer, longest_transaction: timedelta, task: str) -> Refuse | None:
    """Refuse maintenance that would be useless or would wait for somebody."""
    if server.standby:
        return Refuse(
            because="this server is a standby: it repeats what its primary does",
            hint=f"put the primary in the inventory, or limit [tasks.{task}] to it with nodes = […]",
        )
    if not server.sees_all_sessions:
        return Refuse(
            because="cannot tell how old the oldest transaction is: the role may not see other sessions",
            hint="GRANT pg_monitor to the role of [nodes.….database]",
        )
    age = timedelta(seconds=int(server.oldest_transaction_seconds))
    if age > longest_transaction:
        return Refuse(
            because=f"a transaction has been open for {write_duration(age)}",
            hint=f"end it (pg_stat_activity shows whose it is), or raise longest_transaction in [tasks.{task}]",
        )
    return None


def quoted(*names: str) -> str:
    """Write a name as SQL wants it, whatever it contains.

    >>> quoted("public", "Study")
    '"public"."Study"'
    """
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
