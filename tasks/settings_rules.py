"""Settings of a server that endanger its data or stand against its upkeep.

Source: PostgreSQL manual, "Server Configuration".
"""

from collections.abc import Callable
from typing import NamedTuple

from maintainer import sdk


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


def _more_than(most: float) -> Callable[[str], bool]:
    return lambda value: float(value) > most


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
    Rule(
        "autovacuum_vacuum_scale_factor",
        WARNING,
        _more_than(0.5),
        "lower it, to 0.2 or less: before autovacuum comes, more than half of a table must be dead",
    ),
    Rule(
        "autovacuum_vacuum_cost_delay",
        WARNING,
        _more_than(20),
        "lower it, to 2ms: autovacuum sleeps so much that it does not keep up with a large table",
    ),
    Rule(
        "autovacuum_freeze_max_age",
        INFO,
        _more_than(1_000_000_000),
        "lower it, to 200000000: autovacuum begins to freeze when little is left until the server takes no more writes",
    ),
    Rule(
        "vacuum_defer_cleanup_age",
        WARNING,
        _more_than(0),
        "set it to 0: dead rows of that many transactions stay; hot_standby_feedback does better what it was made for",
    ),
    Rule(
        "transaction_timeout",
        WARNING,
        _more_than(0),
        "set it for the archive's role only: it ends a VACUUM or a rebuild that takes longer in the middle",
    ),
    Rule("maintenance_work_mem", INFO, _less_than(64 * 1024), "raise it to 64 MB or more: indexes are built from it"),
)
