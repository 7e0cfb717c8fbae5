"""Vacuum the tables whose dead rows have passed the site's limit.

Source: PostgreSQL manual, "Routine Vacuuming". `dead_rows` is an estimate of the cumulative statistics.
"""

from collections.abc import Mapping
from datetime import timedelta

from maintainer import sdk


class VacuumParams(sdk.Params):
    dead_fraction: float = sdk.Field(
        0.20, gt=0, lt=1, description="vacuum a table from this share of dead rows: dead / (dead + live)"
    )
    smallest: sdk.Size = sdk.Field(10_000_000, description="leave smaller tables to autovacuum")
    longest_transaction: sdk.Duration = sdk.Field(timedelta(hours=1), description="refuse while a transaction is older")
    timeout: sdk.TimeLimit = sdk.Field(
        timedelta(hours=1), description="longest time for one table, until its own history is known"
    )


class Table(sdk.Seen):
    schema_: str = sdk.Field(alias="schema")
    name: str
    live_rows: int
    dead_rows: int
    bytes: int

    @property
    def dead_fraction(self) -> float:
        return self.dead_rows / max(1, self.dead_rows + self.live_rows)


class VacuumFacts(sdk.Facts):
    tables: tuple[Table, ...]
    server: tuple[sdk.DatabaseServer, ...] = sdk.Field(min_length=1, max_length=1)


class DbVacuum(sdk.Task[VacuumParams, VacuumFacts]):
    name = "db-vacuum"
    roles = frozenset({sdk.Role.DATABASE})
    params = VacuumParams
    facts = VacuumFacts

    def observe(self, node: sdk.Node, params: VacuumParams) -> Mapping[str, sdk.Observation]:
        return {
            "tables": sdk.SqlQuery(text=TABLES, parameters={"smallest": params.smallest}),
            "server": sdk.SERVER,
        }

    def plan(self, node: sdk.Node, params: VacuumParams, facts: VacuumFacts) -> sdk.Decision:
        due = [table for table in facts.tables if table.dead_fraction >= params.dead_fraction]
        if not due:
            return sdk.Nothing(
                because=f"no table of {params.smallest / 1e6:g} MB or more has {params.dead_fraction:.0%} dead rows"
            )
        if refusal := sdk.not_now(facts.server[0], params.longest_transaction, self.name):
            return refusal
        worst_first = sorted(due, key=lambda table: table.dead_rows, reverse=True)
        return sdk.Steps(steps=tuple(_vacuum(table, params) for table in worst_first))


def _vacuum(table: Table, params: VacuumParams) -> sdk.Step:
    name = sdk.quoted(table.schema_, table.name)
    return sdk.Step(
        subject=f"table {name}",
        title=f"vacuum {name}",
        reason=f"{table.dead_fraction:.0%} of its rows are dead: {table.dead_rows}, and {table.live_rows} live",
        # TRUNCATE would take an exclusive lock that readers feel; SKIP_LOCKED never queues in front of the clinic.
        action=sdk.Sql(text=f"VACUUM (ANALYZE, TRUNCATE FALSE, SKIP_LOCKED) {name}"),
        risk=sdk.Risk.SLOWER,
        timeout=params.timeout,
    )


TABLES = sdk.sql_file("tasks", "db_vacuum_tables.sql")
