"""What a rebuild has given back is part of how its step ended, and on record for the nights to come."""

from pathlib import Path
from typing import Any

from maintainer.cli.live import told
from maintainer.intervention_log.record import Kind
from maintainer.model.action import Action, Sql
from tests.fakes.fake_fleet import FakeNode
from tests.unit.engine_bench import Night, endings, one_node

INDEX = 'index "public"."i"'


def index(filenode: int, size: int) -> dict[str, Any]:
    known = {"schema": "public", "name": "i", "table": "t", "oid": filenode, "filenode": filenode, "bytes": size}
    known |= {"method": "btree", "fillfactor": None}
    figures = {"rows": 100_000.0, "changed_rows": 0, "valid": True, "place": None}
    return {**known, **figures, "owned": True, "permitted": True, "in_work": False}


def night_of(folder: Path) -> Night:
    """An index that takes 500 bytes a row, and took 50 when it was built."""
    node = FakeNode(relations=[index(7, 50_000_000)])
    night = one_node(folder, node, tasks=["db-reindex"])

    def trouble(action: Action) -> None:
        if isinstance(action, Sql):
            node.relations = [index(8, 5_000_000)]

    def recorded(name: str) -> dict[str, Any]:
        kept = [one for one in night.records() if one.kind is Kind.MEASURED and name in one.measured]
        best = {f"{INDEX}, build 7": {"least": 50.0, "last": 50.0}} if name == "bytes-per-row" else {}
        return best | {one.subject: {"least": 0.0, "last": one.measured[name]} for one in kept}

    node.trouble, node.recorded = trouble, recorded
    return night


def test_what_was_reclaimed_is_told_and_kept(tmp_path: Path) -> None:
    """In the ending of the step, in the words of the report, and once as a measurement."""
    night = night_of(tmp_path)
    report = night.run()
    assert endings(report) == [('rebuild "public"."i" (50.0 MB)', "done")]
    assert told(report.tasks[0].steps[0].ending).endswith("; 45.0 MB reclaimed (90%)")
    outcome = next(one for one in night.records() if one.kind is Kind.OUTCOME)
    assert outcome.measured["reclaimed-bytes"] == 45_000_000
    night.run(run="r2")
    kept = [one for one in night.records() if one.kind is Kind.MEASURED and "reclaimed-bytes" in one.measured]
    assert [one.run for one in kept] == ["r1"]


def test_what_a_vacuum_removed_is_told_and_kept(tmp_path: Path) -> None:
    """How many dead rows there were and how many are left; the next night's look puts it on record, once."""
    node = FakeNode(dead_rows={"t": 5000})
    night = one_node(tmp_path, node, tasks=["db-vacuum"])

    def recorded(name: str) -> dict[str, Any]:
        kept = [one for one in night.records() if one.kind is Kind.MEASURED and name in one.measured]
        last = {one.subject: {"least": 0.0, "last": one.measured[name]} for one in kept}
        return {subject: one for subject, one in last.items() if one["last"]}

    node.recorded = recorded
    report = night.run()
    assert told(report.tasks[0].steps[0].ending).endswith("; 5,000 dead rows removed, 0 left")
    night.run(run="r2")
    night.run(run="r3")
    kept = [one for one in night.records() if one.kind is Kind.MEASURED and "removed-rows" in one.measured]
    assert [(one.run, one.measured["removed-rows"]) for one in kept] == [("r2", 5000)]
