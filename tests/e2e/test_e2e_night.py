"""One night on a PACS in which everything is broken at once: looking changes nothing, the run does it all, once.

The night is lived once, with a look at every byte and row before and after each command; the tests read what was seen.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maintainer.practice.database import SUPERUSER, connect
from maintainer.practice.faults import FAULTS, Planted
from tests.e2e.driver import Answer, Controller, controller, endings, findings, steps
from tests.e2e.evidence import Evidence, differences, evidence, store
from tests.practice_fixture import Practice

pytestmark = pytest.mark.timeout(300)  # the night itself is lived in a fixture

LOOKS: tuple[tuple[str, ...], ...] = (
    ("plan", "--json"),
    ("plan", "--out", "PLAN"),
    ("check", "--json"),
    ("run", "--dry-run", "--json"),
    ("-v", "--log-format", "json", "plan", "--task", "dicom-integrity"),
    ("status",),
    ("log", "list"),
)


@dataclass(frozen=True)
class Night:
    """What was seen before, between and after."""

    practice: Practice
    controller: Controller
    planted: tuple[Planted, ...]
    objects: Evidence
    broken: Evidence
    looks: dict[tuple[str, ...], tuple[Answer, Evidence]]
    run: Answer
    worked: Evidence
    plan_after: Answer
    second_run: Answer
    rested: Evidence
    verify: Answer


@pytest.fixture(scope="module")
def night(shared_practice: Practice, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """Break all, look in every way there is, run, plan, run again."""
    folder = tmp_path_factory.mktemp("night")
    me = controller(folder, {"practice": shared_practice})
    planted = shared_practice.break_("all")
    objects, broken = store(shared_practice), evidence(shared_practice)
    looks = {look: (_look(me, folder, look), evidence(shared_practice)) for look in LOOKS}
    run, worked = me.do("run", "--json"), evidence(shared_practice)
    plan_after, second_run = me.do("plan", "--json"), me.do("run", "--json")
    rested, verify = evidence(shared_practice), me.do("log", "verify", "--json")
    return Night(
        shared_practice, me, planted, objects, broken, looks, run, worked, plan_after, second_run, rested, verify
    )


def _look(me: Controller, folder: Path, words: tuple[str, ...]) -> Answer:
    return me.do(*(str(folder / "plan.json") if word == "PLAN" else word for word in words))


def _plan(night: Night) -> dict[str, Any]:
    return night.looks[LOOKS[0]][0].document


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_looking_changes_nothing(night: Night, look: tuple[str, ...]) -> None:
    """Not a byte, mode, owner or time of a file on the node, not a row, statistic or catalog entry of its database."""
    answer, after = night.looks[look]
    assert answer.code in {0, 1}, answer.stderr
    assert differences(night.broken, after) == []


def test_what_was_looked_at_could_have_changed(night: Night) -> None:
    """The same comparison sees the run: files moved, an index rebuilt, a table vacuumed, a service restarted."""
    changed = differences(night.broken, night.worked)
    assert {"file spool/import-1000.tmp", "file logs/archive.log.15", "file run/archive.pid"} <= set(changed)
    assert {"relation send_queue_due", "counters access_log", "table pg_class"} <= set(changed)


def test_the_plan_has_a_step_or_a_finding_for_each_fault(night: Night) -> None:
    """Eight faults, eight answers, and none for anything that is not broken."""
    plan = _plan(night)
    assert [one.name for one in night.planted] == list(FAULTS)
    assert sorted(cause for _, cause, _ in findings(plan["entries"])) == [
        "object-digest",
        "object-missing",
        "object-orphan",
        "object-size",
    ]
    assert [(task, title.partition(" (")[0]) for _, task, title in steps(plan)] == [
        ("service-restart", "restart archive"),
        ("service-restart", "prove that the node serves"),
        ("db-vacuum", 'vacuum "public"."access_log"'),
        ("db-reindex", 'rebuild "public"."send_queue_due"'),
        ("disk-cleanup", "move 12 files"),
        ("disk-cleanup", "move 300 files"),
    ]


def test_the_run_performs_what_the_plan_said(night: Night) -> None:
    """The same steps in the same order, each done; the damaged objects are reported, by the same names."""
    planned = steps(_plan(night))
    assert [done[:3] for done in endings(night.run.document)] == planned
    assert {done[3] for done in endings(night.run.document)} == {"done"}
    assert findings(night.run.document["tasks"]) == findings(_plan(night)["entries"])
    assert night.run.code == 1


def test_a_dry_run_is_a_plan(night: Night) -> None:
    """`run --dry-run` answers what `plan` does, in the same form."""
    dry = night.looks["run", "--dry-run", "--json"][0].document
    assert (dry["format"], steps(dry)) == ("maintainer.plan/1", steps(_plan(night)))


def test_then_nothing_is_left_to_do(night: Night) -> None:
    """The next plan has findings and no step; the second run performs none and changes not a byte."""
    assert steps(night.plan_after.document) == []
    assert endings(night.second_run.document) == []
    assert findings(night.second_run.document["tasks"]) == findings(_plan(night)["entries"])
    assert differences(night.worked, night.rested) == []


def test_the_store_is_as_it_was(night: Night) -> None:
    """No run touched an object: not its bytes, its mode or its times. There is no verb that could."""
    assert store(night.practice) == night.objects


def test_the_archive_serves_again(night: Night) -> None:
    """The processes run, and `check` has no complaint."""
    assert {part.state for part in night.practice.pacs.status()} == {"running"}
    check = night.controller.do("check", "--json")
    others = {(row["what"], row["verdict"]) for row in check.document["nodes"] if row["verdict"] != "ok"}
    assert others == {("account", "warning")}, "a practice PACS is not prepared"
    assert check.code == 0


def test_every_intent_has_one_ending(night: Night) -> None:
    """And stands before it, in one chain that verifies, under one run that was opened and closed."""
    records = [record for record in night.controller.records() if record.get("run") == night.run.document["run"]]
    intents = [record["step"] for record in records if record["kind"] == "intent"]
    outcomes = [record["step"] for record in records if record["kind"] == "outcome"]
    assert len(intents) == len(set(intents)) == 6
    assert outcomes == intents
    assert (records[0]["kind"], records[-2]["kind"], records[-1]["kind"]) == ("run-opened", "run-closed", "checkpoint")
    assert night.verify.document["verified"] is True


def test_nothing_of_ours_stays_on_the_node(night: Night) -> None:
    """No program of ours runs there any more, and no session of ours is open in its database."""
    sshd = next(part.pid for part in night.practice.pacs.status() if part.name == "ssh")
    assert _children(sshd or 0) == []
    assert _until_none(lambda: _sessions(night.practice)) == []


def test_status_knows_the_night(night: Night) -> None:
    """What the runs found stands in `status`, without a look at a node."""
    status = night.controller.json("status")
    assert (status["last_run"], status["closed"], status["open_intents"]) == (
        night.second_run.document["run"],
        True,
        [],
    )
    found = [(one["node"], one["finding"]["cause"], one["finding"]["subject"]) for one in status["findings"]]
    assert found == findings(night.second_run.document["tasks"])


def _children(pid: int) -> list[int]:
    stats = (_stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [child for child, parent in stats if parent == pid]


def _stat(pid: int) -> tuple[int, int]:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return pid, 0
    return pid, int(fields[1])


def _sessions(practice: Practice) -> list[str]:
    query = "SELECT application_name FROM pg_stat_activity WHERE usename = 'maintainer'"
    with connect(practice.layout, SUPERUSER) as database:
        return [str(name) for (name,) in database.execute(query).fetchall()]


def _until_none(look: Any) -> list[str]:
    """A server notices within a second or two that a client has gone."""
    until = time.monotonic() + 5
    while (left := look()) and time.monotonic() < until:
        time.sleep(0.1)
    found: list[str] = left
    return found
