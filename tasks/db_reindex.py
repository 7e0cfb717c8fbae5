"""Rebuild indexes that have become much larger than they need to be, without ever blocking the clinic.

An index is judged by what was measured: how full its leaf pages are (extension pgstattuple), or how much it has grown
over the best bytes-per-row ratio on record since it was built. Where neither is known, that is said, not guessed.

Source: PostgreSQL manual, "Routine Reindexing" and REINDEX, "Rebuilding Indexes Concurrently".
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from maintainer import sdk
from tasks import reindex_density as density
from tasks import reindex_findings as findings
from tasks import reindex_growth as growth
from tasks import reindex_leftovers as leftovers
from tasks.reindex_facts import (
    BUILD,
    BYTES,
    DENSITY,
    FULL,
    GAIN,
    GAIN_SHARE,
    LEFTOVER,
    MEASURED_AT,
    MEASURED_BUILD,
    MEASURED_ROWS,
    RATIO,
    ROOM,
    WORTH_IT,
    Index,
    ReindexFacts,
)


class ReindexParams(sdk.Params):
    leaf_density: float = sdk.Field(
        0.50, gt=0, lt=0.9, description="rebuild a B-tree whose leaf pages are less full; a new one has 0.9"
    )
    growth: float = sdk.Field(2.0, gt=1, description="rebuild from this multiple of the best bytes per row on record")
    smallest: sdk.Size = sdk.Field(10_000_000, description="leave smaller indexes alone")
    measure_up_to: sdk.Size = sdk.Field(
        2_000_000_000,
        description="to measure indexes, read this much in one night at most, the oldest measurement first",
    )
    longest_transaction: sdk.Duration = sdk.Field(
        timedelta(minutes=5), description="refuse while a transaction is older"
    )
    longest_lag: sdk.Size = sdk.Field(
        1_000_000_000, description="refuse while a standby or a replication slot is this much WAL behind"
    )
    timeout: sdk.TimeLimit = sdk.Field(
        timedelta(hours=2), description="longest time for one index, until its own history is known"
    )


class DbReindex(sdk.Task[ReindexParams, ReindexFacts]):
    name = "db-reindex"
    roles = frozenset({sdk.Role.DATABASE})
    looks_again = True
    params = ReindexParams
    facts = ReindexFacts
    wears = growth.MARKS

    def observe(self, node: sdk.Node, params: ReindexParams) -> Mapping[str, sdk.Observation]:
        return {
            # Also those that a rebuild has made small: what it has gained is to be seen.
            "indexes": sdk.SqlQuery(text=INDEXES, parameters={"smallest": params.smallest // SHRUNK}),
            "server": sdk.SERVER,
            "horizon": sdk.HORIZON,
            "replicas": sdk.SqlQuery(text=REPLICAS),
            "ratios": sdk.Recorded(measurement=RATIO),
            "builds": sdk.Recorded(measurement=BUILD),
            "sizes": sdk.Recorded(measurement=BYTES),
            "gains": sdk.Recorded(measurement=GAIN_SHARE),
            "leftovers": sdk.Recorded(measurement=LEFTOVER),
            "densities": sdk.Recorded(measurement=DENSITY),
            "measured_builds": sdk.Recorded(measurement=MEASURED_BUILD),
            "measured_rows": sdk.Recorded(measurement=MEASURED_ROWS),
            "measured_at": sdk.Recorded(measurement=MEASURED_AT),
        }

    def observe_more(self, node: sdk.Node, params: ReindexParams, facts: ReindexFacts) -> Mapping[str, sdk.Observation]:
        judged = _judged(params, facts)
        wanted = density.to_measure(judged, params.leaf_density, params.measure_up_to, facts)
        if wanted and facts.density is None:
            these = ",".join(str(index.oid) for index in wanted)
            query = sdk.SqlQuery(text=DENSITIES, parameters={"indexes": f"{{{these}}}"}, calls="pgstatindex(regclass)")
            return {"density": query}
        bloated = _bloated(judged, params, facts)
        places = {index.place for index in judged if index.subject in bloated and index.place}
        return {"room": sdk.Room(paths=tuple(sorted(places)))} if bloated else {}

    def plan(self, node: sdk.Node, params: ReindexParams, facts: ReindexFacts) -> sdk.Decision:
        valid = [index for index in facts.indexes if index.valid]
        judged = _judged(params, facts)
        bloated = _bloated(judged, params, facts)
        due = sorted((one for one in judged if one.subject in bloated), key=lambda one: _gain(one, facts), reverse=True)
        permitted = [index for index in due if index.permitted]
        roomy = [index for index in permitted if not facts.lacks_room(index)]
        found = (
            *leftovers.findings(facts),
            *density.cannot_tell(judged, params.measure_up_to, facts),
            *findings.not_done(due, facts),
        )
        told = {
            "findings": found,
            "measured": (
                *density.measured(facts),
                *growth.ratios(judged, facts),
                *_gained(valid, facts),
                *leftovers.measured(facts),
            ),
        }
        steps = (*leftovers.drops(facts), *_confirmations(roomy, facts), *_rebuilds(roomy, bloated, params, facts))
        if not steps and len(permitted) > len(roomy):
            due_all_the_same = tuple(one.subject for one in permitted)
            return NO_ROOM.model_copy(update={**told, "due": due_all_the_same})
        if not steps:
            because = f"of {len(judged)} indexes of {params.smallest / 1e6:g} MB or more, none is known to be bloated"
            return sdk.Nothing.model_validate({"because": because, **told})
        if refusal := _not_now(params, facts, self.name):
            return refusal.model_copy(update={**told, "due": sdk.subjects(steps)})
        told["measured"] = (*told["measured"], *_planned(roomy, facts))
        return sdk.Steps.model_validate({"steps": steps, **told})

    def wear(self, params: ReindexParams, marks: Iterable[sdk.Mark]) -> Iterator[sdk.Wear]:
        return growth.wear(marks, params.leaf_density, params.growth)


def _judged(params: ReindexParams, facts: ReindexFacts) -> list[Index]:
    return [index for index in facts.indexes if index.valid and index.size >= params.smallest]


def _bloated(judged: list[Index], params: ReindexParams, facts: ReindexFacts) -> dict[str, str]:
    """Why each that is due is, by subject."""
    return {index.subject: reason for index in judged if (reason := _reason(index, params, facts))}


def _not_now(params: ReindexParams, facts: ReindexFacts, name: str) -> sdk.Refuse | None:
    return (
        sdk.builds_corrupt(facts.server[0])
        or sdk.not_now(facts.server[0], params.longest_transaction, name)
        or sdk.prepared_for_long(facts.horizon, params.longest_transaction, name)
        or _behind(facts, params, name)
    )


def _reason(index: Index, params: ReindexParams, facts: ReindexFacts) -> str:
    full = facts.leaf_density(index)
    if full is not None:
        sparse = params.leaf_density * index.built_full / FULL
        return f"its leaf pages are {full:.0%} full" if full < sparse else ""
    ratio, best = index.bytes_per_row, facts.best_ratio(index)
    if best and ratio and ratio >= params.growth * best and not _never_pays(index, facts):
        return f"it takes {ratio:.0f} bytes a row, and took {best:.0f} at best"
    return ""


def _gain(index: Index, facts: ReindexFacts) -> float:
    """About how many bytes a rebuild would give back."""
    full = facts.leaf_density(index)
    if full is not None:
        return index.size * max(0.0, 1 - full / index.built_full)
    ratio, best = index.bytes_per_row, facts.best_ratio(index)
    return index.size * max(0.0, 1 - best / ratio) if best and ratio else 0.0


def _never_pays(index: Index, facts: ReindexFacts) -> bool:
    gain = facts.gains.get(index.subject)
    return gain is not None and gain.last < WORTH_IT


def _rebuilds(
    due: list[Index], reasons: Mapping[str, str], params: ReindexParams, facts: ReindexFacts
) -> Iterator[sdk.Step]:
    settings = sdk.pace(facts.server[0])
    for index in due:
        if _needs_confirmation(index, facts):
            continue
        yield sdk.Step(
            subject=index.subject,
            title=f"rebuild {index.quoted} ({index.size / 1e6:.1f} MB)",
            reason=f"{reasons[index.subject]}: about {_gain(index, facts) / 1e6:.1f} MB to gain",
            # Without CONCURRENTLY, every reader of the table would wait until the end.
            action=sdk.Sql(text=f"REINDEX INDEX CONCURRENTLY {index.quoted}", settings=settings),
            risk=sdk.Risk.SLOWER,
            timeout=params.timeout,
            works_on=index.size,
            room=ROOM * index.size,
        )


def _needs_confirmation(index: Index, facts: ReindexFacts) -> bool:
    """Growth is counted by the row, and how many rows there are is known from the last ANALYZE only."""
    return facts.leaf_density(index) is None and index.is_stale


def _confirmations(due: list[Index], facts: ReindexFacts) -> Iterator[sdk.Step]:
    stale = {sdk.quoted(one.schema, one.table): one for one in due if _needs_confirmation(one, facts)}
    for table, index in stale.items():
        yield sdk.Step(
            subject=f"table {table}",
            title=f"analyze {table}",
            reason=f"{index.quoted} seems to have grown, but {index.changed_rows} rows changed since they were counted",
            action=sdk.Sql(text=f"ANALYZE (SKIP_LOCKED) {table}", settings=sdk.vacuum_pace(facts.server[0])),
            risk=sdk.Risk.SLOWER,
            timeout=timedelta(minutes=30),
        )


def _gained(valid: list[Index], facts: ReindexFacts) -> Iterator[sdk.Measurement]:
    """What a rebuild has gained, once it is seen to be done."""
    for index in valid:
        replaced, size = facts.replaced(index.subject), facts.sizes.get(index.subject)
        if replaced and size and replaced.last != index.filenode:
            gained = size.last - index.size
            yield sdk.Measurement(name=GAIN, subject=index.subject, value=gained)
            yield sdk.Measurement(name=GAIN_SHARE, subject=index.subject, value=round(gained / size.last, 3))
            yield sdk.Measurement(name=BYTES, subject=index.subject, value=0)


def _planned(due: list[Index], facts: ReindexFacts) -> Iterator[sdk.Measurement]:
    for index in due:
        if not _needs_confirmation(index, facts):
            yield sdk.Measurement(name=BUILD, subject=index.subject, value=index.filenode)
            yield sdk.Measurement(name=BYTES, subject=index.subject, value=index.size)


def _behind(facts: ReindexFacts, params: ReindexParams, task: str) -> sdk.Refuse | None:
    """A rebuild writes an index's size as WAL, which a standby must replay and a slot must keep."""
    unknown = next((one for one in facts.replicas if one.behind_bytes is None and one.kind == "standby"), None)
    if unknown:
        return sdk.Refuse(
            because=f"cannot tell how far standby {unknown.name} is behind",
            hint="it may be starting: see pg_stat_replication, and whether the role has pg_monitor",
        )
    late = max(facts.replicas, key=lambda one: one.behind_bytes or 0, default=None)
    if late is None or (late.behind_bytes or 0) <= params.longest_lag:
        return None
    what = "standby" if late.kind == "standby" else "replication slot"
    return sdk.Refuse(
        because=f"{what} {late.name} is {(late.behind_bytes or 0) / 1e6:,.0f} MB of WAL behind",
        hint=f"let it catch up, drop a slot that nobody uses, or raise longest_lag in [tasks.{task}]",
    )


SHRUNK = 100
NO_ROOM = sdk.Refuse(
    because="there is no room to rebuild what is bloated",
    hint="make room where the database's files lie; the findings say how much it takes",
)
DENSITIES = sdk.sql_file("tasks", "db_reindex_density.sql")
INDEXES = sdk.sql_file("tasks", "db_reindex_indexes.sql")
REPLICAS = sdk.sql_file("tasks", "db_reindex_replicas.sql")
