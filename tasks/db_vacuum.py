"""Vacuum the tables whose dead rows have passed the site's limit, and freeze those whose transaction ids grow old.

What is dead in a table whose statistics were lost is said to be unknown; db-analyze has its rows counted again.

Source: PostgreSQL manual, "Routine Vacuuming". `dead_rows` is an estimate of the cumulative statistics.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from maintainer import sdk


class VacuumParams(sdk.Params):
    dead_fraction: float = sdk.Field(
        0.20, gt=0, lt=1, description="vacuum a table from this share of dead rows: dead / (dead + live)"
    )
    smallest: sdk.Size = sdk.Field(10_000_000, description="leave smaller tables to autovacuum")
    freeze_age: int = sdk.Field(
        150_000_000,
        ge=10_000_000,
        le=1_000_000_000,
        description="freeze a table whose oldest transaction id is this many transactions old; below autovacuum's own "
        "limit (autovacuum_freeze_max_age), which does it at any hour",
    )
    freeze_multixact_age: int = sdk.Field(
        300_000_000, ge=10_000_000, le=1_000_000_000, description="the same for multixact ids"
    )
    held_back: int = sdk.Field(
        1_000_000, ge=0, description="refuse while a replication slot or a standby holds back more transactions"
    )
    longest_transaction: sdk.Duration = sdk.Field(timedelta(hours=1), description="refuse while a transaction is older")
    timeout: sdk.TimeLimit = sdk.Field(
        timedelta(hours=1), description="longest time for one table, until its own history is known"
    )


class Table(sdk.Seen):
    schema_: str = sdk.Field(alias="schema")
    name: str
    live_rows: int
    dead_rows: int
    bytes: int | None = sdk.Field(description="none: it was dropped meanwhile, or somebody has it to himself")
    age: int
    multixact_age: int
    counted: bool = sdk.Field(True, description="false: its statistics were lost, what is dead in it is unknown")
    vacuumed_seconds: float | None = sdk.Field(None, description="ago, by whomever; none: no record of it")
    without_autovacuum: bool = sdk.Field(False, description="somebody has switched it off for this table")
    never_analyzed: bool
    of_the_system: bool
    permitted: bool

    @property
    def subject(self) -> str:
        return f"table {sdk.quoted(self.schema_, self.name)}"

    @property
    def dead_fraction(self) -> float:
        return self.dead_rows / max(1, self.dead_rows + self.live_rows)

    @property
    def oldest(self) -> int:
        return max(self.age, self.multixact_age)


class Database(sdk.Seen):
    name: str
    age: int
    multixact_age: int


class VacuumFacts(sdk.Facts):
    tables: tuple[Table, ...]
    databases: tuple[Database, ...]
    horizon: tuple[sdk.Holder, ...]
    server: tuple[sdk.DatabaseServer, ...] = sdk.Field(min_length=1, max_length=1)
    before: dict[str, sdk.OnRecord] = sdk.Field({}, description="dead rows that a vacuum was meant to remove")


class DbVacuum(sdk.Task[VacuumParams, VacuumFacts]):
    name = "db-vacuum"
    roles = frozenset({sdk.Role.DATABASE})
    params = VacuumParams
    facts = VacuumFacts

    def observe(self, node: sdk.Node, params: VacuumParams) -> Mapping[str, sdk.Observation]:
        limits: dict[str, int | float | str] = {
            "smallest": params.smallest,
            "age": params.freeze_age,
            "multixact_age": params.freeze_multixact_age,
        }
        return {
            "tables": sdk.SqlQuery(text=TABLES, parameters=limits),
            "databases": sdk.SqlQuery(text=DATABASES),
            "horizon": sdk.HORIZON,
            "server": sdk.SERVER,
            "before": sdk.Recorded(measurement=BEFORE, above=0),
        }

    def plan(self, node: sdk.Node, params: VacuumParams, facts: VacuumFacts) -> sdk.Decision:
        server = facts.server[0]
        wanted = [table for table in facts.tables if _reason(table, params)]
        due = [table for table in wanted if table.permitted]
        unknown = [table for table in facts.tables if not table.counted and not table.of_the_system]
        findings = (*_near_wraparound(facts), *_not_permitted(wanted), *_unknown(unknown, server))
        if not due and server.standby:
            return NOT_HERE.model_copy(update={"findings": findings})
        if not due and not server.counts_rows:
            return UNCOUNTED.model_copy(update={"findings": findings})
        counts = server.counts_rows and not server.standby
        told = {"findings": findings, "measured": tuple(_removed(facts)) if counts else ()}
        if not due:
            because = f"no table of {params.smallest / 1e6:g} MB or more has {params.dead_fraction:.0%} dead rows"
            because += f", as far as they are counted: of {len(unknown)} tables nobody knows" if unknown else ""
            return sdk.Nothing.model_validate({"because": because, **told})
        # What comes nearest to wraparound goes before anything else: past it, the server takes no writes.
        worst_first = sorted(due, key=lambda table: (_must_freeze(table, params), table.dead_rows), reverse=True)
        steps = tuple(_vacuum(table, params, server) for table in worst_first)
        if refusal := _not_now(params, facts, self.name):
            return refusal.model_copy(update={**told, "due": sdk.subjects(steps)})
        told["measured"] = (*told["measured"], *_planned(worst_first, facts))
        return sdk.Steps.model_validate({"steps": steps, **told})


def _not_now(params: VacuumParams, facts: VacuumFacts, name: str) -> sdk.Refuse | None:
    return (
        sdk.not_now(facts.server[0], params.longest_transaction, name)
        or sdk.prepared_for_long(facts.horizon, params.longest_transaction, name)
        or sdk.held_back(facts.horizon, params.held_back, name)
    )


def _must_freeze(table: Table, params: VacuumParams) -> int:
    """How old its ids are, where that is a reason to freeze it."""
    due = table.age >= params.freeze_age or table.multixact_age >= params.freeze_multixact_age
    return table.oldest if due else 0


def _reason(table: Table, params: VacuumParams) -> str:
    if table.bytes is None:
        return ""
    if table.age >= params.freeze_age:
        return f"its oldest transaction id is {table.age:,} transactions old"
    if table.multixact_age >= params.freeze_multixact_age:
        return f"its oldest multixact id is {table.multixact_age:,} multixacts old"
    if table.counted and table.dead_fraction >= params.dead_fraction:
        dead = f"{table.dead_fraction:.0%} of its rows are dead: {table.dead_rows}, and {table.live_rows} live"
        return f"{dead}; {_vacuumed(table)}"
    if table.never_analyzed and table.live_rows:
        return f"it was never analyzed, and has {table.live_rows} rows"
    return ""


def _vacuumed(table: Table) -> str:
    off = ", autovacuum is off for it" if table.without_autovacuum else ""
    if table.vacuumed_seconds is None:
        return f"never vacuumed{off}"
    days = int(table.vacuumed_seconds // 86400)
    ago = f"{days} days" if days > 1 else "less than two days"
    return f"vacuumed {ago} ago{off}"


def _vacuum(table: Table, params: VacuumParams, server: sdk.DatabaseServer) -> sdk.Step:
    name, freeze = sdk.quoted(table.schema_, table.name), bool(_must_freeze(table, params))
    # TRUNCATE would take an exclusive lock that readers feel; SKIP_LOCKED never queues in front of the clinic.
    options = f"ANALYZE, {'FREEZE, ' * freeze}TRUNCATE FALSE, SKIP_LOCKED"
    return sdk.Step(
        subject=table.subject,
        title=f"{'freeze' if freeze else 'vacuum'} {name}",
        reason=_reason(table, params),
        action=sdk.Sql(text=f"VACUUM ({options}) {name}", settings=_pace(table, server)),
        risk=sdk.Risk.SLOWER,
        timeout=params.timeout,
        works_on=table.bytes,
    )


def _planned(due: Iterable[Table], facts: VacuumFacts) -> Iterator[sdk.Measurement]:
    """What there is to remove, to be held against what is left."""
    for table in due:
        before = facts.before.get(table.subject)
        if table.counted and table.dead_rows and (before is None or before.last != table.dead_rows):
            yield sdk.Measurement(name=BEFORE, subject=table.subject, value=table.dead_rows)


def _removed(facts: VacuumFacts) -> Iterator[sdk.Measurement]:
    """What a vacuum has removed, once it is seen to be done; a table without dead rows is not seen any more."""
    tables = {table.subject: table for table in facts.tables}
    for subject, before in facts.before.items():
        table = tables.get(subject)
        left = table.dead_rows if table else 0
        if left < before.last and (table is None or table.counted):
            yield sdk.Measurement(name=REMOVED, subject=subject, value=before.last - left)
            yield sdk.Measurement(name=LEFT, subject=subject, value=left)
            yield sdk.Measurement(name=BEFORE, subject=subject, value=0)


def _pace(table: Table, server: sdk.DatabaseServer) -> dict[sdk.Setting, int | str]:
    """With a wraparound near, being slow is the greater danger."""
    return {} if table.oldest >= CRITICAL else sdk.vacuum_pace(server)


def _near_wraparound(facts: VacuumFacts) -> tuple[sdk.Finding, ...]:
    """All databases of the server: one that nobody vacuums stops the others with it."""
    return tuple(
        sdk.Finding(
            severity=sdk.Severity.CRITICAL if oldest >= CRITICAL else sdk.Severity.WARNING,
            cause="wraparound-near",
            subject=f"database {sdk.quoted(database.name)}",
            evidence={"transactions": database.age, "multixacts": database.multixact_age},
            advice="at about 2,100,000,000 the server takes no more writes: find out what keeps autovacuum from"
            " freezing (old transactions, prepared transactions, replication slots, a damaged table)",
        )
        for database in facts.databases
        if (oldest := max(database.age, database.multixact_age)) >= WARNING
    )


def _not_permitted(wanted: list[Table]) -> tuple[sdk.Finding, ...]:
    lacking = [table for table in wanted if not table.permitted and not table.of_the_system]
    if not lacking:
        return ()
    return (
        sdk.Finding(
            severity=sdk.Severity.WARNING,
            cause="vacuum-not-permitted",
            subject="database",
            evidence={
                "tables": len(lacking),
                "dead_rows": sum(table.dead_rows for table in lacking if table.counted),
                "never_vacuumed": sum(table.vacuumed_seconds is None for table in lacking),
                "without_autovacuum": sum(table.without_autovacuum for table in lacking),
            },
            advice="GRANT pg_maintain (PostgreSQL 17 and later) or the role of their owner to the role of"
            " [nodes.….database]",
        ),
    )


def _unknown(tables: list[Table], server: sdk.DatabaseServer) -> tuple[sdk.Finding, ...]:
    if not tables or server.standby or not server.counts_rows:
        return ()
    return (
        sdk.Finding(
            severity=sdk.Severity.WARNING,
            cause="dead-rows-unknown",
            subject="database",
            evidence={"tables": len(tables), "bytes": sum(table.bytes or 0 for table in tables)},
            advice="their statistics were lost, as in a crash, a failover or a reset, and autovacuum is blind to them,"
            " too: ANALYZE them, or let [tasks.db-analyze] do it",
        ),
    )


NOT_HERE = sdk.Nothing(because="this server is a standby: only its primary counts rows and vacuums them")
UNCOUNTED = sdk.Refuse(
    because="cannot tell which tables hold dead rows: this server does not count them",
    hint="set track_counts = on: without it, autovacuum does not work either",
)
BEFORE, REMOVED, LEFT = "dead-rows-to-remove", "removed-rows", "dead-rows-left"
WARNING, CRITICAL = 500_000_000, 1_200_000_000
"""Ages by which autovacuum, which begins at 200,000,000, has long failed; the end is near 2,100,000,000."""
DATABASES = sdk.sql_file("tasks", "db_vacuum_databases.sql")
TABLES = sdk.sql_file("tasks", "db_vacuum_tables.sql")
