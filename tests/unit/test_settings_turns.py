"""Which tables db-settings measures in one look: so many bytes, in turns, the largest suspects first."""

from datetime import UTC, datetime
from typing import Any

from tasks.settings_bloat import turns
from tasks.settings_facts import SettingsFacts

TABLE: dict[str, Any] = {"schema": "public", "oid": 1, "filenode": 1, "bytes": 100, "bytes_to_read": 100}
UNKNOWN: dict[str, Any] = {"fillfactor": 1, "estimated_bytes": None, "changes": 0, "rows": 10}
NONE: dict[str, Any] = dict.fromkeys(
    ("settings", "tables", "sequences", "indexes", "slots", "horizon", "replicas", "locks", "places"), ()
)
SERVER = {"standby": False, "version": 150000, "sees_all_sessions": True, "oldest_transaction_seconds": 0}


def chosen(tables: dict[str, dict[str, Any]], most_bytes: int, measured_at: dict[str, float]) -> list[str]:
    facts = SettingsFacts.model_validate(
        NONE
        | {
            "observed_at": datetime(2026, 3, 1, tzinfo=UTC),
            "server": [SERVER],
            "shares": {},
            "large": [TABLE | UNKNOWN | {"name": name} | table for name, table in tables.items()],
            "measured_at": {
                f'table "public"."{name}", build 1': {"least": at, "last": at} for name, at in measured_at.items()
            },
        }
    )
    return [table.name for table in turns(facts, most_bytes)]


def test_suspects_come_first() -> None:
    """By estimate, else by how much of it was changed; what only grows is last."""
    tables = {"grows": {}, "changed": {"changes": 6}, "estimated": {"estimated_bytes": 10}}
    assert chosen(tables, 1000, {}) == ["estimated", "changed", "grows"]


def test_all_have_their_turn() -> None:
    """Night after night each is measured, whatever is suspected of the others; then it begins anew."""
    tables = {"a": {"changes": 9}, "b": {"changes": 5}, "c": {}}
    measured: dict[str, float] = {}
    nights = []
    for night in range(1, 7):
        (name,) = chosen(tables, 150, measured)
        measured[name] = night
        nights.append(name)
    assert nights == ["a", "b", "c", "a", "b", "c"]


def test_one_that_takes_too_much_holds_up_no_other() -> None:
    """It is left out; one of which little must be read is measured, however large it is."""
    tables = {"huge": {"bytes": 10**6, "bytes_to_read": 10**6, "changes": 9}, "visible": {"bytes": 10**6}, "gone": {}}
    tables["gone"] = {"bytes": None, "bytes_to_read": None}
    assert chosen(tables, 150, {}) == ["visible"]
