"""Plan files: written into a folder that others may write too, and read by a version that knows other actions."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from maintainer.errors import PlanFileError, UsageError
from maintainer.links.plan_file import read_plan, write_plan
from maintainer.model.action import RestartServices
from maintainer.model.plan import Entry, Plan, Risk, Step, Steps

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


def restart(*services: str, stop_first: tuple[str, ...]) -> Step:
    action = RestartServices(services=services, stop_first=stop_first)
    minute = timedelta(minutes=1)
    return Step(subject="a", title=action.title, reason="r", action=action, risk=Risk.OUTAGE, timeout=minute)


@pytest.mark.parametrize(("services", "stop_first"), [((), ()), (("a",), ("b",)), (("a", "a"), ("a",)), ((), ("a",))])
def test_no_action_only_stops(services: tuple[str, ...], stop_first: tuple[str, ...]) -> None:
    """What is stopped is part of what runs in the end, and something does."""
    with pytest.raises(ValidationError):
        restart(*services, stop_first=stop_first)


def test_a_plan_that_still_has_a_lone_stop_is_not_read(tmp_path: Path) -> None:
    """Plans of the version before had a stop and a start: one sentence says to make a new one."""
    answer = Steps(steps=(restart("a", stop_first=("a",)),))
    entry = Entry(node="n", task="service-restart", window="w", answer=answer)
    path = tmp_path / "plan.json"
    write_plan(PLAN.model_copy(update={"entries": (entry,)}), path)
    assert read_plan(path, site="s", inventory="i", now=NOW).entries == (entry,)
    document = json.loads(path.read_text())
    document["entries"][0]["answer"]["steps"][0]["action"] = {"kind": "service", "verb": "stop", "service": "a"}
    path.write_text(json.dumps(document))
    with pytest.raises(PlanFileError, match="not a plan of this version") as caught:
        read_plan(path, site="s", inventory="i", now=NOW)
    assert "make a new one" in caught.value.hint
