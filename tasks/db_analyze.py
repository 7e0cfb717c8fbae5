"""Refresh the planner's statistics of tables that have changed in bulk, as after an import, a migration or a deletion.

Also of those of which nobody knows what has changed, because their statistics were lost (a crash, a failover, a reset):
until they are counted, autovacuum takes no care of them either.

Autovacuum does so too, when it gets to it, and never for a partitioned table itself.

Source: PostgreSQL manual, "Updating Planner Statistics".
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from maintainer import sdk


class AnalyzeParams(sdk.Params):
    changed_fraction: float = sdk.Field(
        0.2, gt=0, lt=10, description="analyze a table from this share of changed rows: changed / live"
    )
    at_least: int = sdk.Field(10_000, ge=1, description="leave tables with fewer changed rows to autovacuum")
    longest_transaction: sdk.Duration = sdk.Field(timedelta(hours=1), description="refuse while a transaction is older")
    timeout: sdk.TimeLimit = sdk.Field(
        timedelta(minutes=30), description="longest time for one table, until its own history is known"
    )


class Table(sdk.Seen):
    schema_: str = sdk.Field(alias="schema")
    name: str
    partitioned: bool
    live_rows: int
    changed_rows: int = sdk.Field(description="of a partitioned table: in its partitions")
    counted: bool = sdk.Field(True, description="false: its statistics were lost, what has changed is unknown")
    rows_once: float = sdk.Field(0, description="of one that is not counted: at its last VACUUM or ANALYZE")
    analyzed_seconds: float | None = sdk.Field(None, description="ago, by whomever; none: no record of it")
    permitted: bool
    bytes: int | None = sdk.Field(None, description="read of it; none: it was dropped, or somebody has it to himself")

    @property
    def changed_fraction(self) -> float:
        return self.changed_rows / max(1, self.live_rows)

    def urgency(self) -> tuple[bool, float]:
        return self.counted, self.changed_rows if self.counted else self.rows_once


class AnalyzeFacts(sdk.Facts):
    tables: tuple[Table, ...]
    server: tuple[sdk.DatabaseServer, ...] = sdk.Field(min_length=1, max_length=1)


class DbAnalyze(sdk.Task[AnalyzeParams, AnalyzeFacts]):
    name = "db-analyze"
    roles = frozenset({sdk.Role.DATABASE})
    params = AnalyzeParams
    facts = AnalyzeFacts

    def observe(self, node: sdk.Node, params: AnalyzeParams) -> Mapping[str, sdk.Observation]:
        return {
            "tables": sdk.SqlQuery(text=TABLES, parameters={"at_least": params.at_least}),
            "server": sdk.SERVER,
        }

    def plan(self, node: sdk.Node, params: AnalyzeParams, facts: AnalyzeFacts) -> sdk.Decision:
        server = facts.server[0]
        changed = [one for one in facts.tables if not one.counted or one.changed_fraction >= params.changed_fraction]
        due = sorted((one for one in changed if one.permitted), key=Table.urgency, reverse=True)
        findings = tuple(_not_permitted([one for one in changed if not one.permitted]))
        if not due and server.standby:
            return NOT_HERE.model_copy(update={"findings": findings})
        if not due and not server.counts_rows:
            return UNCOUNTED.model_copy(update={"findings": findings})
        if not due:
            because = (
                f"no table has {params.at_least:,} rows or more, and {params.changed_fraction:.0%} of them, changed"
            )
            return sdk.Nothing(because=because, findings=findings)
        steps = tuple(_analyze(table, params, server) for table in due)
        if refusal := sdk.not_now(server, params.longest_transaction, self.name):
            return refusal.model_copy(update={"findings": findings, "due": sdk.subjects(steps)})
        return sdk.Steps(steps=steps, findings=findings)


def _analyze(table: Table, params: AnalyzeParams, server: sdk.DatabaseServer) -> sdk.Step:
    name = sdk.quoted(table.schema_, table.name)
    return sdk.Step(
        subject=f"table {name}",
        title=f"analyze {name}",
        reason=_reason(table),
        action=sdk.Sql(text=f"ANALYZE (SKIP_LOCKED) {name}", settings=sdk.vacuum_pace(server)),
        risk=sdk.Risk.SLOWER,
        timeout=params.timeout,
        works_on=table.bytes,
    )


def _reason(table: Table) -> str:
    if not table.counted:
        return f"its statistics were lost: what has changed is unknown, and it had {table.rows_once:.0f} rows once"
    where = " in its partitions" if table.partitioned else ""
    changed = f"{table.changed_rows} rows{where} changed since it was last analyzed"
    if table.analyzed_seconds is not None:
        changed += f" {table.analyzed_seconds / 86400:.1f} days ago"
    return f"{changed}, and {table.live_rows} are live"


def _not_permitted(tables: list[Table]) -> Iterator[sdk.Finding]:
    if tables:
        yield sdk.Finding(
            severity=sdk.Severity.WARNING,
            cause="analyze-not-permitted",
            subject="database",
            evidence={"tables": len(tables), "changed_rows": sum(table.changed_rows for table in tables)},
            advice="GRANT pg_maintain (PostgreSQL 17 and later) or the owner's role to the role of [nodes.….database]",
        )


NOT_HERE = sdk.Nothing(because="this server is a standby: only its primary counts rows and analyzes them")
UNCOUNTED = sdk.Refuse(
    because="cannot tell which tables have changed: this server does not count rows",
    hint="set track_counts = on: without it, autovacuum does not work either",
)
TABLES = sdk.sql_file("tasks", "db_analyze_tables.sql")
