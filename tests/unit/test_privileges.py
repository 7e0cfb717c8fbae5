"""What the agent may do on a node and in its database: too little, too much, or just what it needs."""

from typing import Any

import pytest

from maintainer.model.inventory import Node
from maintainer.planning.privileges import DatabaseRole, of_account, of_role

MONITOR = ("pg_monitor", "pg_read_all_stats")
ROW: dict[str, Any] = {
    "version": "17.2",
    "version_number": 170002,
    "role": "maintainer",
    "superuser": False,
    "attributes": [],
    "memberships": ["pg_maintain", *MONITOR],
    "tables": 4,
    "tables_owned": 0,
    "owners": ["orthanc"],
}
UNIT = {"orthanc": {"unit": "orthanc.service"}}


def role(**changed: Any) -> list[tuple[str, str, str]]:
    return [tuple(one) for one in of_role(DatabaseRole.model_validate({**ROW, **changed}))]


def account(user: str = "maintainer", *, prepared: bool = True, **node: Any) -> list[str]:
    declared = Node.model_validate({"address": "10.0.0.1", "ssh": {"user": "maintainer"}, **node})
    return [one.detail for one in of_account(declared, user, prepared=prepared)]


def test_a_role_that_fits_is_not_spoken_of() -> None:
    """Monitoring and maintenance, by membership of pg_maintain or of the owner, is what is needed."""
    assert role() == []
    assert role(version_number=150018, memberships=MONITOR, tables_owned=4) == []


@pytest.mark.parametrize(
    ("changed", "verdict", "detail", "hint"),
    [
        ({"superuser": True}, "warning", "too wide: maintainer is a superuser", "role of its own"),
        ({"attributes": ["CREATEROLE"]}, "warning", "too wide: maintainer has CREATEROLE", "take from it"),
        (
            {"memberships": ["pg_maintain", "pg_read_all_data", *MONITOR]},
            "warning",
            "too wide: maintainer has pg_read_all_data",
            "take from it",
        ),
        ({"memberships": ["pg_maintain"]}, "wrong", "missing: maintainer sees no other sessions", "GRANT pg_monitor"),
        (
            {"memberships": MONITOR, "tables_owned": 1},
            "warning",
            "missing: maintainer may not vacuum or reindex 3 of 4 tables",
            "GRANT pg_maintain TO maintainer",
        ),
        (
            {"memberships": MONITOR, "version_number": 150018},
            "warning",
            "missing: maintainer may not vacuum or reindex 4 of 4 tables",
            "GRANT orthanc TO maintainer",
        ),
        (
            {"memberships": MONITOR, "version_number": 150018, "owners": []},
            "warning",
            "missing: maintainer may not vacuum or reindex 4 of 4 tables",
            "belong to a superuser",
        ),
    ],
)
def test_a_role_that_does_not_fit_is_one_short_row(
    changed: dict[str, Any], verdict: str, detail: str, hint: str
) -> None:
    """Each lack and each excess has its own sentence, and the statement that mends it on this version."""
    (found,) = role(**changed)
    assert found[:2] == (verdict, detail)
    assert hint in found[2]


def test_an_unprepared_node_is_said_to_run_what_it_is_sent() -> None:
    """One row, and no other where nothing needs more."""
    assert account(prepared=False) == ["not prepared: runs as maintainer whatever this controller sends"]
    assert account() == []


def test_root_is_too_wide_where_nothing_needs_it() -> None:
    """A node with a database alone needs no root; one with a unit does, and says so when it has none."""
    assert account("root") == ["too wide: runs as root, and nothing that is declared needs it"]
    assert account("root", services=UNIT) == []
    assert account(services=UNIT) == ["may be missing: maintainer can restart orthanc.service only by a polkit rule"]
    assert account(reboot=True) == ["may be missing: maintainer can reboot only by a polkit rule"]
