"""Two PACS: one node's trouble stops no other, and of two that stand in for each other never two are down."""

import os
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from maintainer.practice.service import Service
from tests.e2e.conftest import MACHINE_ID, revive
from tests.e2e.driver import Controller, controller, endings, findings, steps
from tests.e2e.evidence import differences, evidence
from tests.e2e.probes import overlap, watched
from tests.practice_fixture import Practice

Nodes = dict[str, Practice]
RESTART = ("--task", "service-restart")
MAX_AGE = 20  # seconds; longer than a restart and its second look take


@pytest.fixture
def nodes(pair: Nodes) -> Iterator[Nodes]:
    """The pair, mended after each test."""
    try:
        yield pair
    finally:
        for practice in pair.values():
            revive(practice)


@pytest.fixture
def group(nodes: Nodes, tmp_path: Path) -> Controller:
    """A controller to which the two are a group, and which restarts whatever has run for a while."""
    made = controller(tmp_path, nodes, group=True)
    made.edit('max_age = "30d"', f'max_age = "{MAX_AGE}s"')
    return made


def _until_due(*practices: Practice) -> None:
    """Wait until the archives have run for long enough."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    started = [_archive(practice)[1] / os.sysconf("SC_CLK_TCK") for practice in practices]
    time.sleep(max(0.0, max(started) + MAX_AGE + 1 - now))


def _archive(practice: Practice) -> tuple[int, int]:
    """The process of the archive, and its start in clock ticks since boot."""
    process = Service(practice.layout, "archive").process()
    assert process is not None
    return process.pid, process.started


def _by_node(run: dict[str, Any]) -> dict[str, set[str]]:
    """How the steps of each node ended."""
    found: dict[str, set[str]] = {}
    for node, _, _, ending in endings(run):
        found.setdefault(node, set()).add(ending)
    return found


@pytest.mark.parametrize("how", ["stopped", "hung"])
def test_whose_partner_does_not_serve_is_not_taken_down(group: Controller, nodes: Nodes, how: str) -> None:
    """Refused with the partner's name and its trouble; the process that serves goes on; then the other way round."""
    _until_due(nodes["pacs-a"])
    if how == "stopped":
        Service(nodes["pacs-b"].layout, "archive").stop()
    else:
        nodes["pacs-b"].break_("hung-archive")
    serving = _archive(nodes["pacs-a"])
    run = group.here("run", "--json", "--node", "pacs-a", *RESTART)
    reasons = {done["ending"].get("reason") for done in run.document["tasks"][0]["steps"]}
    assert (run.code, reasons) == (4, {"partner-not-serving"})
    assert "pacs-b: " in run.document["tasks"][0]["steps"][0]["ending"]["detail"]
    assert _archive(nodes["pacs-a"]) == serving
    # The one that serves nobody may be brought back: that takes nothing away from anybody.
    run = group.here("run", "--json", "--node", "pacs-b", *RESTART)
    assert (run.code, {ending for *_, ending in endings(run.document)}) == (0, {"done"})
    assert _archive(nodes["pacs-a"]) == serving


def test_two_that_serve_are_restarted_one_after_the_other(group: Controller, nodes: Nodes) -> None:
    """Both are restarted in one run; ten looks a second never find both without service, and each once without."""
    _until_due(*nodes.values())
    before = {name: _archive(practice) for name, practice in nodes.items()}
    with watched(nodes) as outages:
        run = group.here("run", "--json", *RESTART)
    assert (run.code, _by_node(run.document)) == (0, {"pacs-a": {"done"}, "pacs-b": {"done"}})
    assert all(_archive(practice) != before[name] for name, practice in nodes.items())
    assert all(outages.values()), "a restart that nobody could notice proves nothing"
    assert overlap(outages["pacs-a"], outages["pacs-b"]) == []
    order = [record["node"] for record in group.records() if record["kind"] == "intent"]
    assert [node for node, _ in groupby(order)] == ["pacs-a", "pacs-b"]


def test_one_that_cannot_be_reached_stops_no_other(nodes: Nodes, tmp_path: Path) -> None:
    """The node that is down is said to be unknown; the other, which knows nothing of it, gets its work."""
    me = controller(tmp_path, nodes)
    nodes["pacs-b"].break_("full-spool")
    nodes["pacs-b"].break_("truncated-object")
    nodes["pacs-a"].down()
    plan = me.here("plan", "--json")
    assert plan.code == 3
    assert {e["answer"]["kind"] for e in plan.document["entries"] if e["node"] == "pacs-a"} == {"unseen"}
    assert [node for node, _, _ in steps(plan.document)] == ["pacs-b"] * 2
    run = me.here("run", "--json")
    assert (run.code, _by_node(run.document)) == (3, {"pacs-b": {"done"}})
    assert [cause for _, cause, _ in findings(run.document["tasks"])] == ["object-size"]
    assert {record["node"] for record in me.records() if record["kind"] == "intent"} == {"pacs-b"}
    assert me.here("log", "verify").code == 0


def test_one_whose_step_fails_stops_no_other(nodes: Nodes, tmp_path: Path) -> None:
    """A start that fails ends that node's night; the other one's archive is started, and its spool is cleaned."""
    me = controller(tmp_path, nodes)
    script = nodes["pacs-a"].layout.archive_script
    whole = script.read_text("utf-8")
    for practice in nodes.values():
        practice.break_("full-spool")
        Service(practice.layout, "archive").stop()
    try:
        script.write_text('#!/bin/sh\n[ "$1" = start ] && exit 1\n' + whole)
        before = evidence(nodes["pacs-a"])
        run = me.here("run", "--json", *RESTART, "--task", "disk-cleanup")
        assert (run.code, _by_node(run.document)) == (1, {"pacs-a": {"failed", "not-run"}, "pacs-b": {"done"}})
        assert [n for n in differences(before, evidence(nodes["pacs-a"])) if not n.startswith("file run")] == []
    finally:
        script.write_text(whole)


@pytest.mark.fault(28)
@pytest.mark.skipif(not MACHINE_ID.exists(), reason="this machine has no id")
def test_one_machine_under_two_names_is_found(nodes: Nodes, tmp_path: Path) -> None:
    """It would be its own partner: `check` says so, and it is not taken down."""
    me = controller(tmp_path, {"pacs-a": nodes["pacs-a"], "pacs-c": nodes["pacs-a"]}, group=True)
    assert "pacs-a" in me.here("check").stderr, "the inventory says it already where the address is the same"
    me.edit('[nodes.pacs-c]\naddress = "127.0.0.1"', '[nodes.pacs-c]\naddress = "localhost"')
    check = me.json("check")
    wrong = [(row["node"], row["what"]) for row in check["nodes"] if row["verdict"] == "wrong"]
    assert ("pacs-c", "machine") in wrong
    run = me.here("run", "--json", "--now", "--node", "pacs-a", *RESTART)
    assert (run.code, _by_node(run.document)) == (4, {"pacs-a": {"not-run"}})
    assert "the same machine under another name" in run.stdout
