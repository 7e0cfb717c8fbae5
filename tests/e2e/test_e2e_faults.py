"""Each fault alone: a plan shows it and nothing else, a run deals with it or reports it, then there is nothing left."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from maintainer.practice.faults import FAULTS
from tests.e2e.driver import Controller, endings, findings, steps
from tests.e2e.evidence import differences, evidence, store
from tests.practice_fixture import Practice


class Shown(NamedTuple):
    """What a plan has for a fault: the task and actions of its steps, or the cause of its finding, and who is told."""

    task: str
    actions: tuple[dict[str, Any], ...] = ()
    cause: str = ""

    @property
    def exit_code(self) -> int:
        return 1 if self.cause else 0


def _quarantine(root: str) -> dict[str, Any]:
    return {"kind": "node-operation", "program": "quarantine", "request": {"root": root}}


def _sql(text: str) -> dict[str, Any]:
    return {"kind": "sql", "text": text}


VACUUM = _sql('VACUUM (ANALYZE, TRUNCATE FALSE, SKIP_LOCKED) "public"."access_log"')
REBUILD = _sql('REINDEX INDEX CONCURRENTLY "public"."send_queue_due"')
RESTART = {"kind": "restart-services", "services": ["archive"], "stop_first": ["archive"]}
PROOF = {"kind": "prove-service", "within": "2m"}
EXPECTED = {
    "truncated-object": Shown("dicom-integrity", cause="object-size"),
    "flipped-bit": Shown("dicom-integrity", cause="object-digest"),
    "missing-file": Shown("dicom-integrity", cause="object-missing"),
    "orphan-file": Shown("dicom-integrity", cause="object-orphan"),
    "bloated-index": Shown("db-reindex", (REBUILD,)),
    "dead-rows": Shown("db-vacuum", (VACUUM,)),
    "full-spool": Shown("disk-cleanup", (_quarantine("logs"), _quarantine("spool"))),
    "hung-archive": Shown("service-restart", (RESTART, PROOF)),
}


def test_every_fault_that_can_be_planted_is_expected_here() -> None:
    """A fault that is added to the practice PACS must be added to this file."""
    assert list(EXPECTED) == list(FAULTS)


@pytest.mark.fault(38)
@pytest.mark.parametrize("fault", EXPECTED)
def test_a_fault_is_shown_dealt_with_and_then_gone(fault: str, mended: Practice, alone: Controller) -> None:
    """Plan, run, plan, run: the last plan has no step, and the last run changes not a byte on the node."""
    expected = EXPECTED[fault]
    (planted,) = mended.break_(fault)
    objects = store(mended)

    plan = alone.here("plan", "--json")
    assert _actions(plan.document["entries"], "answer") == [(expected.task, action) for action in expected.actions]
    shown = findings(plan.document["entries"])
    assert [cause for _, cause, _ in shown] == [expected.cause] * bool(expected.cause)
    assert plan.code == expected.exit_code

    run = alone.here("run", "--json")
    assert [ending for *_, ending in endings(run.document)] == ["done"] * len(expected.actions)
    assert findings(run.document["tasks"]) == shown
    assert (run.code, run.document["exit"]) == (expected.exit_code, expected.exit_code)

    left = evidence(mended)
    again = alone.here("plan", "--json")
    assert steps(again.document) == []
    assert findings(again.document["entries"]) == shown
    assert endings(alone.json("run")) == []
    assert differences(left, evidence(mended)) == []
    assert store(mended) == objects
    assert alone.json("log", "verify")["verified"] is True
    for _, _, name in shown:
        assert planted.where.endswith(alone.json("log", "reveal", name)["is"])


def test_a_healthy_one_has_nothing_to_do_and_nothing_to_report(mended: Practice, alone: Controller) -> None:
    """Every task answers "nothing", and every command that looks ends with 0."""
    before = evidence(mended)
    plan = alone.here("plan", "--json")
    assert {entry["answer"]["kind"] for entry in plan.document["entries"]} == {"nothing"}
    assert findings(plan.document["entries"]) == []
    assert [alone.here(word).code for word in ("plan", "check", "run")] == [0, 0, 0]
    assert differences(before, evidence(mended)) == []


def test_what_a_rule_does_not_name_stays(mended: Practice, alone: Controller) -> None:
    """Of a full spool only what matches a pattern and is old goes; it goes to quarantine, whole, and can be fetched."""
    keep = {path.name: path.read_bytes() for path in mended.layout.spool.iterdir() if path.is_file()}
    mended.break_("full-spool")
    planted = {path.name: path.read_bytes() for path in mended.layout.spool.iterdir() if path.name not in keep}
    alone.here("run")
    assert {path.name: path.read_bytes() for path in mended.layout.spool.iterdir() if path.is_file()} == keep
    assert _quarantined(mended.layout.spool) == planted


def _quarantined(root: Path) -> dict[str, bytes]:
    inside = (root / ".maintainer-quarantine").rglob("import-*")
    return {path.name: path.read_bytes() for path in inside}


def _actions(entries: list[dict[str, Any]], key: str) -> list[tuple[str, dict[str, Any]]]:
    """How fast a statement works depends on what else the server does: that is left out."""
    due = [(entry["task"], step["action"]) for entry in entries for step in entry[key].get("steps", ())]
    return [(task, {word: what for word, what in action.items() if word != "settings"}) for task, action in due]
