"""What was approved is what runs: a plan file against what is due when it is performed."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maintainer.practice.database import SUPERUSER, connect
from tests.e2e.driver import Controller, controller, endings, steps
from tests.e2e.evidence import differences, evidence
from tests.practice_fixture import Practice

Plan = dict[str, Any]


def test_only_what_is_approved_and_still_due_runs(mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """What became due since waits, what vanished is no longer needed: both are recorded as not run, with the reason."""
    file = tmp_path / "plan.json"
    mended.break_("full-spool")
    mended.break_("dead-rows")
    shown = alone.here("plan", "--out", str(file))
    assert f"Perform it in its window:  maintainer run --plan {file}" in shown.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    mended.break_("bloated-index")
    with connect(mended.layout, SUPERUSER, autocommit=True) as database:
        database.execute("VACUUM (ANALYZE) access_log")

    run = alone.here("run", "--plan", str(file), "--json")
    vacuum, rebuild, *cleaned = [(task, ending) for _, task, _, ending in endings(run.document)]
    assert (vacuum, rebuild) == (("db-vacuum", "not-run"), ("db-reindex", "not-run"))
    assert cleaned == [("disk-cleanup", "done")] * 2
    assert run.code == 0
    outcomes = {r["task"]: r.get("reason", "") for r in alone.records() if r["kind"] == "outcome"}
    assert outcomes == {"db-vacuum": "no-longer-due", "db-reindex": "not-approved", "disk-cleanup": ""}
    assert {r["plan"] for r in alone.records() if r["kind"] == "outcome"} == {_read(file)["digest"]}

    left = evidence(mended)
    assert [task for _, task, _ in steps(alone.json("plan"))] == ["db-reindex"]
    again = alone.here("run", "--plan", str(file), "--json")
    assert {ending for *_, ending in endings(again.document)} == {"not-run"}
    assert differences(left, evidence(mended)) == []
    assert [ending for *_, ending in endings(alone.json("run"))] == ["done"]


def test_a_plan_for_one_task_is_an_approval_of_no_other(mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """Tasks that the plan does not hold are not even looked at."""
    file = str(tmp_path / "plan.json")
    mended.break_("full-spool")
    mended.break_("dead-rows")
    alone.here("plan", "--task", "db-vacuum", "--out", file)
    run = alone.json("run", "--plan", file)
    assert [(task, ending) for _, task, _, ending in endings(run)] == [("db-vacuum", "done")]
    assert [task["task"] for task in run["tasks"]] == ["db-vacuum"]


def _more(plan: Plan) -> None:
    plan["entries"][0]["answer"]["steps"][0]["action"]["request"]["root"] = "spool"


def _longer(plan: Plan) -> None:
    plan["expires_at"] = "2099-01-01T00:00:00Z"


def _without_digest(plan: Plan) -> None:
    del plan["digest"]


def _unknown_field(plan: Plan) -> None:
    plan["approved_by"] = "Ann"


def _next_format(plan: Plan) -> None:
    plan["format"] = "maintainer.plan/2"


EDITS: dict[str, tuple[Callable[[Plan], None], str]] = {
    "another root": (_more, "was changed after it was made"),
    "a later expiry": (_longer, "was changed after it was made"),
    "no digest": (_without_digest, "was changed after it was made"),
    "an unknown field": (_unknown_field, "not a plan of this version"),
    "another format": (_next_format, "not a plan of this version"),
}
GARBAGE = (b"", b"garbage", b"[]", b"{}", b'{"format": "maintainer.plan/1"}', b"\xff\xfe", b"[" * 100_000)


def test_a_plan_file_that_is_not_what_was_approved(mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """Edited, damaged or something else: exit code 4, the file, why, and how to get another; nothing is done."""
    file = tmp_path / "plan.json"
    mended.break_("full-spool")
    alone.here("plan", "--task", "disk-cleanup", "--out", str(file))
    plan, before = file.read_bytes(), evidence(mended)
    assert _read(file)["entries"][0]["answer"]["steps"][0]["action"]["request"]["root"] == "logs"
    for name, (edit, why) in EDITS.items():
        edited = json.loads(plan)
        edit(edited)
        file.write_text(json.dumps(edited), "utf-8")
        _is_refused(alone, file, why, name)
    for content in GARBAGE:
        file.write_bytes(content)
        _is_refused(alone, file, "not a plan of this version", repr(content[:20]))
    document = alone.json("run", "--plan", str(file))
    assert (document["format"], document["exit"], document["where"]) == ("maintainer.error/1", 4, str(file))
    assert differences(before, evidence(mended)) == []
    assert not alone.journal.exists()


def test_words_may_be_changed_without_a_new_approval(mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """The digest is over what is done, not over how it is told."""
    file = tmp_path / "plan.json"
    mended.break_("full-spool")
    alone.here("plan", "--task", "disk-cleanup", "--out", str(file))
    plan = _read(file)
    plan["entries"][0]["answer"]["steps"][0]["reason"] = "weil sie alt sind"
    file.write_text(json.dumps(plan), "utf-8")
    assert [ending for *_, ending in endings(alone.json("run", "--plan", str(file)))] == ["done", "done"]


def test_a_plan_file_that_has_expired(mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """Refused, with the minute at which it expired."""
    assert mended.pacs.status()
    alone.edit("[controller]", '[controller]\nplan_expires_after = "1s"')
    file = tmp_path / "plan.json"
    alone.here("plan", "--task", "db-vacuum", "--out", str(file))
    time.sleep(2.1)
    expired = _read(file)["expires_at"][:16].replace("T", " ")
    _is_refused(alone, file, f"expired at {expired} UTC", "expired")


def test_a_plan_file_of_somewhere_else(mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """Of another site, of another inventory, or of this one before it was edited: refused."""
    (tmp_path / "there").mkdir()
    there, file = controller(tmp_path / "there", {"practice": mended}), tmp_path / "plan.json"
    there.edit('name = "practice"', 'name = "elsewhere"')
    there.here("plan", "--task", "db-vacuum", "--out", str(file))
    _is_refused(alone, file, "is for the site elsewhere, and this is practice", "another site")
    alone.here("plan", "--task", "db-vacuum", "--out", str(file))
    assert alone.here("run", "--plan", str(file)).code == 0
    alone.edit("dead_fraction = 0.2", "dead_fraction = 0.3")
    _is_refused(alone, file, "was made from another inventory, or the inventory was edited since", "edited inventory")


@pytest.mark.parametrize("kind", ["absent", "folder"])
def test_no_plan_file(kind: str, alone: Controller, tmp_path: Path) -> None:
    """A file that cannot be read is a mistake of the command line, not a refusal."""
    path = tmp_path / "absent.json" if kind == "absent" else tmp_path
    answer = alone.here("run", "--plan", str(path))
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"{path}: cannot read the plan: ")


def _read(file: Path) -> Plan:
    plan: Plan = json.loads(file.read_text("utf-8"))
    return plan


def _is_refused(me: Controller, file: Path, why: str, name: str) -> None:
    answer = me.here("run", "--plan", str(file))
    assert (answer.code, answer.stdout) == (4, ""), name
    assert answer.stderr.startswith(f"{file}: "), name
    assert why in answer.stderr, (name, answer.stderr)
    assert "maintainer plan --out FILE" in answer.stderr
