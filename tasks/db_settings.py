"""Tell what endangers a database's data, or stands against its upkeep. It changes nothing.

Settings and definitions here; bloat, room, sessions and slots in the modules beside it.

Source: PostgreSQL manual, "Server Configuration", "Sequence Manipulation Functions".
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from maintainer import sdk
from tasks import settings_bloat, settings_room, settings_sessions
from tasks.settings_facts import BLOAT, MEASURED_AT, SettingsFacts
from tasks.settings_rules import RULES


class SettingsParams(sdk.Params):
    sequence_used: float = sdk.Field(0.80, gt=0, lt=1, description="tell of a sequence that has used up this share")
    slot_keeps: sdk.Size = sdk.Field(10_000_000_000, description="tell of a replication slot that keeps so much WAL")
    smallest: sdk.Size = sdk.Field(
        10_000_000, description="tell of superfluous indexes from this size on, and of tables with so much to reuse"
    )
    unused_for: sdk.Duration = sdk.Field(
        timedelta(days=30), description="tell of an index that was not used for so long, once usage was counted so long"
    )
    table_bloat: float = sdk.Field(
        0.5, gt=0, lt=1, description="tell of a table of which this share is free or dead, and could be reused"
    )
    measure_up_to: sdk.Size = sdk.Field(
        1_000_000_000, description="to measure tables, read this much in one look at most; they take turns"
    )
    longest_lock: sdk.Duration = sdk.Field(
        timedelta(minutes=5), description="tell of a lock that is waited for, or a strong one that is held, for longer"
    )
    longest_transaction: sdk.Duration = sdk.Field(timedelta(hours=1), description="tell of a transaction that is older")
    standby_behind: sdk.Size = sdk.Field(10_000_000_000, description="tell of a standby this much WAL behind")
    held_back: int = sdk.Field(
        1_000_000, ge=0, description="tell of a slot or a standby that keeps the dead rows of more transactions"
    )
    least_free: float = sdk.Field(
        0.10, gt=0, lt=1, description="tell of a disk of tablespaces or WAL of which a smaller share is free"
    )


class DbSettings(sdk.Task[SettingsParams, SettingsFacts]):
    name = "db-settings"
    roles = frozenset({sdk.Role.DATABASE})
    params = SettingsParams
    facts = SettingsFacts

    def observe(self, node: sdk.Node, params: SettingsParams) -> Mapping[str, sdk.Observation]:
        return {
            "settings": sdk.SqlQuery(text=VALUES, parameters={"names": " ".join(rule.name for rule in RULES)}),
            "tables": sdk.SqlQuery(text=TABLES),
            "sequences": sdk.SqlQuery(text=SEQUENCES, parameters={"used": params.sequence_used}),
            "indexes": sdk.SqlQuery(text=INDEXES, parameters={"smallest": params.smallest}),
            "slots": sdk.SqlQuery(text=SLOTS),
            "server": sdk.SERVER,
            "horizon": sdk.HORIZON,
            "replicas": sdk.SqlQuery(text=REPLICAS),
            "locks": sdk.SqlQuery(text=LOCKS, parameters={"longest_lock": params.longest_lock.total_seconds()}),
            "large": sdk.SqlQuery(text=LARGE, parameters={"smallest": params.smallest}),
            "shares": sdk.Recorded(measurement=BLOAT),
            "measured_at": sdk.Recorded(measurement=MEASURED_AT),
            "places": sdk.SqlQuery(text=PLACES),
        }

    def observe_more(
        self, node: sdk.Node, params: SettingsParams, facts: SettingsFacts
    ) -> Mapping[str, sdk.Observation]:
        oids = " ".join(str(table.oid) for table in settings_bloat.turns(facts, params.measure_up_to))
        more: dict[str, sdk.Observation] = {
            "room": sdk.Room(paths=tuple(place.path for place in facts.places if place.path)),
            "wal": sdk.SqlQuery(text=WAL, calls="pg_ls_waldir()"),
        }
        if oids:
            calls = "pgstattuple_approx(regclass)"
            more["measured"] = sdk.SqlQuery(text=MEASURED, parameters={"oids": oids}, calls=calls)
        return more

    def plan(self, node: sdk.Node, params: SettingsParams, facts: SettingsFacts) -> sdk.Decision:
        findings = (
            *_settings(facts),
            *_taken_out(facts),
            *_near_their_end(facts, params),
            *_not_readable(facts),
            *_superfluous(facts, params),
            *settings_sessions.slots(facts, params.slot_keeps, params.held_back),
            *settings_sessions.standbys(facts, params.standby_behind, params.held_back),
            *settings_sessions.transactions(facts, params.longest_transaction),
            *settings_sessions.locks(facts),
            *settings_bloat.findings(facts, params.table_bloat, params.smallest),
            *settings_room.findings(facts, params.least_free, as_root=node.ssh.sudo),
        )
        measured = tuple(settings_bloat.measurements(facts))
        return sdk.Nothing(because=LOOKED_AT, findings=findings, measured=measured)


def _settings(facts: SettingsFacts) -> Iterator[sdk.Finding]:
    values = {setting.name: setting.value for setting in facts.settings}
    for rule in RULES:
        value = values.get(rule.name)  # none: this version has no such setting
        if value is not None and rule.is_wrong(value):
            yield sdk.Finding(
                severity=rule.severity,
                cause="setting-unsafe" if rule.severity is sdk.Severity.CRITICAL else "setting-against-upkeep",
                subject=f"setting {rule.name}",
                evidence={"value": value},
                advice=rule.advice,
            )


def _taken_out(facts: SettingsFacts) -> Iterator[sdk.Finding]:
    for table in facts.tables:
        yield sdk.Finding(
            severity=sdk.Severity.WARNING,
            cause="table-without-autovacuum",
            subject=f"table {table.quoted}",
            evidence={},
            advice=f"ALTER TABLE {table.quoted} RESET (autovacuum_enabled): its dead rows only ever grow in number",
        )


def _near_their_end(facts: SettingsFacts, params: SettingsParams) -> Iterator[sdk.Finding]:
    for sequence in facts.sequences:
        if sequence.used >= params.sequence_used:
            yield sdk.Finding(
                severity=sdk.Severity.CRITICAL if sequence.used >= AT_THE_END else sdk.Severity.WARNING,
                cause="sequence-near-its-end",
                subject=f"sequence {sequence.quoted}",
                evidence={"used": round(sequence.used, 4), "last_value": sequence.last_value or 0},
                advice="past its end nothing can be inserted: ask the archive's vendor for bigint numbers in time",
            )


def _not_readable(facts: SettingsFacts) -> Iterator[sdk.Finding]:
    if hidden := [sequence for sequence in facts.sequences if not sequence.readable]:
        yield sdk.Finding(
            severity=sdk.Severity.INFO,
            cause="sequences-unreadable",
            subject="database",
            evidence={"sequences": len(hidden)},
            advice="whether they come near to their end cannot be told: GRANT SELECT on them to the role of"
            " [nodes.….database]",
        )


def _superfluous(facts: SettingsFacts, params: SettingsParams) -> Iterator[sdk.Finding]:
    for index in facts.indexes:
        unused = index.scans == 0 and index.counted_seconds >= params.unused_for.total_seconds()
        if index.bytes is None or not (index.same_as or unused):
            continue
        same = sdk.quoted(index.schema_, index.same_as) if index.same_as else ""
        yield sdk.Finding(
            severity=sdk.Severity.INFO,
            cause="index-duplicate" if same else "index-unused",
            subject=f"index {index.quoted}",
            evidence={"bytes": index.bytes}
            | ({"same_as": same} if same else {"days": int(index.counted_seconds // 86400)}),
            advice="every insert pays for it: ask the archive's vendor whether it may be dropped"
            + ("" if same else "; a standby may use it all the same"),
        )


LOOKED_AT = "looked at settings, sequences, indexes, tables, locks, slots, standbys, disks and WAL; it only tells"
AT_THE_END = 0.95
SEQUENCES = sdk.sql_file("tasks", "db_settings_sequences.sql")
SLOTS = sdk.sql_file("tasks", "db_settings_slots.sql")
TABLES = sdk.sql_file("tasks", "db_settings_tables.sql")
INDEXES = sdk.sql_file("tasks", "db_settings_indexes.sql")
VALUES = sdk.sql_file("tasks", "db_settings_values.sql")
REPLICAS = sdk.sql_file("tasks", "db_reindex_replicas.sql")
LOCKS = sdk.sql_file("tasks", "db_settings_locks.sql")
LARGE = sdk.sql_file("tasks", "db_settings_bloat.sql")
MEASURED = sdk.sql_file("tasks", "db_settings_measured.sql")
PLACES = sdk.sql_file("tasks", "db_settings_places.sql")
WAL = sdk.sql_file("tasks", "db_settings_wal.sql")
