"""How much of each large table is free or dead: measured in turns, else on record, else estimated, else unknown.

A table gives such space back only when it is written anew, with nobody in it: a person's decision, so that it is told.

Source: PostgreSQL manual, "Recovering Disk Space" and pgstattuple, `pgstattuple_approx`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from maintainer import sdk
from tasks.settings_facts import BLOAT, MEASURED_AT, Measured, SettingsFacts, Table


class Bloat(NamedTuple):
    share: float
    by: str


def turns(facts: SettingsFacts, most_bytes: int) -> list[Table]:
    """Choose what to measure: first the largest suspects that never were, then those that were longest ago."""
    chosen, left = [], most_bytes
    for table in sorted(facts.large, key=lambda one: (_measured_at(one, facts), -_suspected(one))):
        if table.bytes_to_read is not None and table.bytes_to_read <= left:
            chosen.append(table)
            left -= table.bytes_to_read
    return chosen


def measurements(facts: SettingsFacts) -> Iterator[sdk.Measurement]:
    for build, share in _tonight(facts).items():
        yield sdk.Measurement(name=BLOAT, subject=build, value=round(share, 4))
        yield sdk.Measurement(name=MEASURED_AT, subject=build, value=facts.observed_at.timestamp())


def findings(facts: SettingsFacts, most: float, smallest: int) -> Iterator[sdk.Finding]:
    """Tell of tables of which so large a share, and so many bytes, are free or dead."""
    tonight, unknown = _tonight(facts), []
    for table in facts.large:
        bloat = _bloat(table, facts, tonight)
        if bloat is None:
            unknown.append(table)
        elif bloat.share >= most and bloat.share * table.size >= smallest:
            yield _bloated(table, bloat)
    if unknown:
        yield sdk.Finding(
            severity=sdk.Severity.INFO,
            cause="table-bloat-unknown",
            subject="database",
            evidence={"tables": len(unknown), "bytes": sum(table.size for table in unknown)},
            advice="CREATE EXTENSION pgstattuple and GRANT pg_stat_scan_tables to measure them: in turns, as much in"
            " one look as measure_up_to in [tasks.db-settings] says, and none that takes more",
        )


def _bloated(table: Table, bloat: Bloat) -> sdk.Finding:
    estimated = bloat.by == "estimate"
    return sdk.Finding(
        severity=sdk.Severity.INFO if estimated else sdk.Severity.WARNING,
        cause="table-bloated",
        subject=f"table {table.quoted}",
        evidence={"bytes": table.size, "reusable_bytes": int(bloat.share * table.size), "by": bloat.by},
        advice="new rows use this space, but every scan and backup reads it: where it does not fill again, VACUUM FULL"
        " in an outage, or pg_repack" + ("; measure it first: pgstattuple" if estimated else ""),
    )


def _bloat(table: Table, facts: SettingsFacts, tonight: dict[str, float]) -> Bloat | None:
    if table.build in tonight:
        return Bloat(tonight[table.build], "measurement")
    if recorded := facts.shares.get(table.build):
        return Bloat(recorded.last, "record")
    share = _estimated(table)
    return None if share is None else Bloat(share, "estimate")


def _tonight(facts: SettingsFacts) -> dict[str, float]:
    fillfactors = {table.build: table.fillfactor for table in facts.large}
    return {one.build: _share(one, fillfactors[one.build]) for one in facts.measured if one.build in fillfactors}


def _share(measured: Measured, fillfactor: float) -> float:
    """What of it is free or dead, but not kept free by its definition."""
    return max(0.0, measured.reusable_bytes / max(1, measured.bytes) - (1 - fillfactor))


def _estimated(table: Table) -> float | None:
    return None if table.estimated_bytes is None else max(0.0, 1 - table.estimated_bytes / max(1, table.size))


def _suspected(table: Table) -> float:
    """How many bytes may be free, by estimate, or else by how many rows were changed: what only grows has no bloat."""
    estimated = _estimated(table)
    return table.size * (min(1.0, table.changes / max(1.0, table.rows)) if estimated is None else estimated)


def _measured_at(table: Table, facts: SettingsFacts) -> float:
    known = facts.measured_at.get(table.build)
    return known.last if known else 0.0
