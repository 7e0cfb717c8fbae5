"""Rebuild indexes that have become much larger than they need to be, without ever blocking the clinic.

An index is judged by what was measured: how full its leaf pages are (extension pgstattuple), or how much it has grown
over the best bytes-per-row ratio on record. Where neither is known, that is said, not guessed.

Source: PostgreSQL manual, "Routine Reindexing" and REINDEX, "Rebuilding Indexes Concurrently".
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property

from maintainer import sdk


class ReindexParams(sdk.Params):
    leaf_density: float = sdk.Field(
        0.50, gt=0, lt=0.9, description="rebuild a B-tree whose leaf pages are less full; a new one has 0.9"
    )
    growth: float = sdk.Field(2.0, gt=1, description="rebuild from this multiple of the best bytes per row on record")
    smallest: sdk.Size = sdk.Field(10_000_000, description="leave smaller indexes alone")
    measure_up_to: sdk.Size = sdk.Field(2_000_000_000, description="read an index to measure it only up to this size")
    longest_transaction: sdk.Duration = sdk.Field(
        timedelta(minutes=5), description="refuse while a transaction is older"
    )
    timeout: sdk.TimeLimit = sdk.Field(
        timedelta(hours=2), description="longest time for one index, until its own history is known"
    )


class Index(sdk.Seen):
    schema_: str = sdk.Field(alias="schema")
    name: str
    bytes: int
    rows: float = sdk.Field(description="estimate of the last ANALYZE or VACUUM; -1 when there was none")
    valid: bool

    @property
    def subject(self) -> str:
        return f"index {sdk.quoted(self.schema_, self.name)}"

    @property
    def bytes_per_row(self) -> float | None:
        return self.bytes / self.rows if self.rows > 0 else None


class Density(sdk.Seen):
    schema_: str = sdk.Field(alias="schema")
    name: str
    leaf_density: float


class OnRecord(sdk.Seen):
    least: float
    last: float


class ReindexFacts(sdk.Facts):
    indexes: tuple[Index, ...]
    server: tuple[sdk.DatabaseServer, ...] = sdk.Field(min_length=1, max_length=1)
    density: tuple[Density, ...] = sdk.Field(description="none where pgstattuple is not to be had")
    recorded: dict[str, OnRecord]

    def leaf_density(self, index: Index) -> float | None:
        """How full an index's leaf pages are; None: not measured."""
        return self._densities.get((index.schema_, index.name))

    @cached_property
    def _densities(self) -> dict[tuple[str, str], float]:
        return {(one.schema_, one.name): one.leaf_density for one in self.density}


class DbReindex(sdk.Task[ReindexParams, ReindexFacts]):
    name = "db-reindex"
    roles = frozenset({sdk.Role.DATABASE})
    params = ReindexParams
    facts = ReindexFacts

    def observe(self, node: sdk.Node, params: ReindexParams) -> Mapping[str, sdk.Observation]:
        limits: dict[str, int | float | str] = {"smallest": params.smallest, "measure_up_to": params.measure_up_to}
        return {
            "indexes": sdk.SqlQuery(text=INDEXES, parameters={"smallest": params.smallest}),
            "density": sdk.SqlQuery(text=DENSITY, parameters=limits, calls="pgstatindex(regclass)"),
            "server": sdk.SERVER,
            "recorded": sdk.Recorded(measurement=BYTES_PER_ROW),
        }

    def plan(self, node: sdk.Node, params: ReindexParams, facts: ReindexFacts) -> sdk.Decision:
        judged = [index for index in facts.indexes if index.valid]
        reasons = {index.subject: _reason(index, params, facts) for index in judged}
        findings = (*_leftovers(facts), *_cannot_tell(judged, facts))
        measured = tuple(
            sdk.Measurement(name=BYTES_PER_ROW, subject=index.subject, value=round(ratio, 2))
            for index in judged
            if (ratio := index.bytes_per_row)
        )
        due = [index for index in judged if reasons[index.subject]]
        if not due:
            because = f"of {len(judged)} indexes of {params.smallest / 1e6:g} MB or more, none is known to be bloated"
            return sdk.Nothing(because=because, findings=findings, measured=measured)
        if refusal := _corrupting(facts.server[0]) or sdk.not_now(
            facts.server[0], params.longest_transaction, self.name
        ):
            return refusal.model_copy(update={"findings": findings, "measured": measured})
        largest_first = sorted(due, key=lambda index: index.bytes, reverse=True)
        steps = tuple(_rebuild(index, reasons[index.subject], params) for index in largest_first)
        return sdk.Steps(steps=steps, findings=findings, measured=measured)


def _reason(index: Index, params: ReindexParams, facts: ReindexFacts) -> str:
    if index.bytes < params.smallest:
        return ""
    density = facts.leaf_density(index)
    if density is not None:
        return f"its leaf pages are {density:.0%} full" if density < params.leaf_density else ""
    ratio, recorded = index.bytes_per_row, facts.recorded.get(index.subject)
    if recorded and ratio and ratio >= params.growth * recorded.least:
        return f"it takes {ratio:.0f} bytes a row, and took {recorded.least:.0f} at best"
    return ""


def _rebuild(index: Index, reason: str, params: ReindexParams) -> sdk.Step:
    name = sdk.quoted(index.schema_, index.name)
    return sdk.Step(
        subject=index.subject,
        title=f"rebuild {name} ({index.bytes / 1e6:.1f} MB)",
        reason=reason,
        # Without CONCURRENTLY, every reader of the table would wait until the end.
        action=sdk.Sql(text=f"REINDEX INDEX CONCURRENTLY {name}"),
        risk=sdk.Risk.SLOWER,
        timeout=params.timeout,
    )


def _corrupting(server: sdk.DatabaseServer) -> sdk.Refuse | None:
    """Concurrent builds of 14.0 to 14.3 can miss rows. Source: release notes of PostgreSQL 14.4."""
    if server.version not in CORRUPTING:
        return None
    return sdk.Refuse(
        because="PostgreSQL 14.0 to 14.3 can build corrupt indexes with CONCURRENTLY",
        hint="update the server to the newest 14.x first; then check its indexes with amcheck",
    )


def _leftovers(facts: ReindexFacts) -> tuple[sdk.Finding, ...]:
    return tuple(
        sdk.Finding(
            severity=sdk.Severity.WARNING,
            cause="index-invalid",
            subject=index.subject,
            evidence={"bytes": index.bytes, "kind": _kind(index.name)},
            advice=ADVICE[_kind(index.name)],
        )
        for index in facts.indexes
        if not index.valid
    )


def _kind(name: str) -> str:
    """Tell what kind of leftover a name is; PostgreSQL adds a number when the name is taken.

    >>> _kind("x_ccnew1"), _kind("x_ccold"), _kind("x")
    ('new', 'old', 'other')
    """
    match = re.search(r"_cc(new|old)\d*$", name)
    return match[1] if match else "other"


def _cannot_tell(judged: list[Index], facts: ReindexFacts) -> tuple[sdk.Finding, ...]:
    blind = [index for index in judged if facts.leaf_density(index) is None and index.subject not in facts.recorded]
    if not blind:
        return ()
    return (
        sdk.Finding(
            severity=sdk.Severity.INFO,
            cause="index-bloat-unknown",
            subject="database",
            evidence={"indexes": len(blind), "bytes": sum(index.bytes for index in blind)},
            advice="CREATE EXTENSION pgstattuple and GRANT pg_stat_scan_tables to measure now; "
            "without it, growth is judged from the next run on",
        ),
    )


CORRUPTING = range(140000, 140004)
BYTES_PER_ROW = "bytes-per-row"
ADVICE = {
    "new": "a concurrent rebuild did not finish: DROP INDEX CONCURRENTLY this one, then rebuild the original",
    "old": "a concurrent rebuild finished but could not clean up: DROP INDEX CONCURRENTLY this one",
    "other": "a CREATE INDEX CONCURRENTLY did not finish: find out who started it; drop it or REINDEX it",
}
DENSITY = sdk.sql_file("tasks", "db_reindex_density.sql")
INDEXES = sdk.sql_file("tasks", "db_reindex_indexes.sql")
