"""Writing a plan file into a folder that others may write too."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maintainer.errors import UsageError
from maintainer.links.plan_file import read_plan, write_plan
from maintainer.model.plan import Plan

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLAN = Plan(site="s", inventory="i", made_at=NOW, expires_at=NOW + timedelta(hours=12), entries=())


def test_a_plan_replaces_a_link_and_writes_through_none(tmp_path: Path) -> None:
    """Links that somebody laid where the plan goes are not followed: what they point at stays as it is."""
    precious, path = tmp_path / "precious", tmp_path / "plan.json"
    precious.write_text("as it was")
    for trap in (path, tmp_path / ".plan.json.part"):
        trap.symlink_to(precious)
    write_plan(PLAN, path)
    assert precious.read_text() == "as it was"
    assert not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_plan(path, site="s", inventory="i", now=NOW) == PLAN


@pytest.mark.parametrize("where", ["no/such/folder/plan.json", "a-file/plan.json", "a-folder"])
def test_a_plan_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, where: str) -> None:
    """One sentence with the place, and no half a plan beside it."""
    (tmp_path / "a-file").write_text("")
    (tmp_path / "a-folder").mkdir()
    with pytest.raises(UsageError, match="cannot write the plan") as caught:
        write_plan(PLAN, tmp_path / where)
    assert caught.value.where == str(tmp_path / where)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a-file", "a-folder"]
