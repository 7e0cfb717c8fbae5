"""Tell what of a database's settings and definitions endangers the data or makes upkeep impossible. It changes nothing.

Source: PostgreSQL manual, "Server Configuration", "Replication Slots", "Sequence Manipulation Functions".
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from maintainer import sdk


class SettingsParams(sdk.Params):
    sequence_used: float = sdk.Field(0.80, gt=0, lt=1, description="tell of a sequence that has used up this share")
    slot_keeps: sdk.Size = sdk.Field(10_000_000_000, description="tell of a replication slot that keeps so much WAL")
    smallest: sdk.Size = sdk.Field(10_000_000, description="tell of superfluous indexes from this size on")
    unused_for: sdk.Duration = sdk.Field(
        timedelta(days=30), description="tell of an index that was not used for so long, once usage was counted so long"
    )


class Setting(sdk.Seen):
    name: str
    value: str


class Named(sdk.Seen):
    schema_: str = sdk.Field(alias="schema")
    name: str

    @property
    def quoted(self) -> str:
        return sdk.quoted(self.schema_, self.name)


class Sequence(Named):
    readable: bool
    last_value: int | None = sdk.Field(description="none: it was not used yet, or may not be read")
    most: int

    @property
    def used(self) -> float:
        return (self.last_value or 0) / self.most


class Index(Named):
    bytes: int | None = sdk.Field(description="none: it was dropped while it was looked at")
    same_as: str | None
    scans: int
    counted_seconds: float


class Slot(sdk.Seen):
    name: str
    active: bool
    bytes: int | None = sdk.Field(description="none: a standby that has received nothing yet")


class SettingsFacts(sdk.Facts):
    settings: tuple[Setting, ...]
    tables: tuple[Named, ...]
    sequences: tuple[Sequence, ...]
    indexes: tuple[Index, ...]
    slots: tuple[Slot, ...]


class DbSettings(sdk.Task[SettingsParams, SettingsFacts]):
    name = "db-settings"
    roles = frozenset({sdk.Role.DATABASE})
    params = SettingsParams
    facts = SettingsFacts

    def observe(self, node: sdk.Node, params: SettingsParams) -> Mapping[str, sdk.Observation]:
        return {
            "settings": sdk.SqlQuery(text=VALUES, parameters={"names": " ".join(rule.name for rule in RULES)}),
            "tables": sdk.SqlQuery(text=TABLES),
            "sequences": sdk.SqlQuery(text=SEQUENCES),
            "indexes": sdk.SqlQuery(text=INDEXES, parameters={"smallest": params.smallest}),
            "slots": sdk.SqlQuery(text=SLOTS),
        }

    def plan(self, node: sdk.Node, params: SettingsParams, facts: SettingsFacts) -> sdk.Decision:
        findings = (
            *_settings(facts),
            *_taken_out(facts),
            *_near_their_end(facts, params),
            *_not_readable(facts),
            *_superfluous(facts, params),
            *_slots(facts, params),
        )
        looked_at = f"{len(facts.settings)} settings, {len(facts.sequences)} sequences, {len(facts.indexes)} indexes"
        return sdk.Nothing(because=f"looked at {looked_at}; it only tells", findings=findings)


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


def _slots(facts: SettingsFacts, params: SettingsParams) -> Iterator[sdk.Finding]:
    for slot in facts.slots:
        if slot.bytes is not None and slot.bytes >= params.slot_keeps:
            yield sdk.Finding(
                severity=sdk.Severity.WARNING if slot.active else sdk.Severity.CRITICAL,
                cause="slot-keeps-wal",
                subject=f"replication slot {slot.name}",
                evidence={"bytes": slot.bytes, "active": slot.active},
                advice="the disk of the WAL fills up until the database stops: let its consumer catch up, or drop it"
                " (pg_drop_replication_slot) if the consumer is gone for good: one that comes back must be set up anew",
            )


class Rule(NamedTuple):
    """`is_wrong` gets the value as pg_settings has it, in the setting's own unit."""

    name: str
    severity: sdk.Severity
    is_wrong: Callable[[str], bool]
    advice: str


def _is(value: str) -> Callable[[str], bool]:
    return value.__eq__


def _less_than(least: int) -> Callable[[str], bool]:
    return lambda value: int(value) < least


AT_THE_END = 0.95
CRITICAL, WARNING, INFO = sdk.Severity.CRITICAL, sdk.Severity.WARNING, sdk.Severity.INFO
RULES = (
    Rule("fsync", CRITICAL, _is("off"), "set fsync = on: a power failure can destroy the whole database"),
    Rule("full_page_writes", CRITICAL, _is("off"), "set it on, unless the filesystem itself never tears a page (ZFS)"),
    Rule("zero_damaged_pages", CRITICAL, _is("on"), "set it off: damaged pages are emptied without a word"),
    Rule("ignore_checksum_failure", CRITICAL, _is("on"), "set it off: damage is read as if it were data"),
    Rule("ignore_invalid_pages", CRITICAL, _is("on"), "set it off: recovery goes past damage without a word"),
    Rule("autovacuum", WARNING, _is("off"), "set autovacuum = on: one window a night is not enough for every table"),
    Rule("track_counts", WARNING, _is("off"), "set track_counts = on: nobody knows which tables hold dead rows"),
    Rule(
        "synchronous_commit",
        WARNING,
        _is("off"),
        "set it on: after a crash the index lacks images whose senders were told that they are stored",
    ),
    Rule("data_checksums", INFO, _is("off"), "enable them (pg_checksums, in an outage): damage on disk is noticed"),
    Rule(
        "idle_in_transaction_session_timeout",
        INFO,
        _is("0"),
        "set a limit, say 1h: a forgotten transaction keeps every dead row of the database",
    ),
    Rule(
        "max_wal_size", INFO, _less_than(512), "raise it to 1 GB or more: checkpoints are forced by the amount of WAL"
    ),
    Rule("maintenance_work_mem", INFO, _less_than(64 * 1024), "raise it to 64 MB or more: indexes are built from it"),
)
SEQUENCES = sdk.sql_file("tasks", "db_settings_sequences.sql")
SLOTS = sdk.sql_file("tasks", "db_settings_slots.sql")
TABLES = sdk.sql_file("tasks", "db_settings_tables.sql")
INDEXES = sdk.sql_file("tasks", "db_settings_indexes.sql")
VALUES = sdk.sql_file("tasks", "db_settings_values.sql")
