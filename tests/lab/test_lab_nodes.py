"""Two real nodes: `maintainer` looks at them, mends what is broken and proves it; they reboot, hang and lose power."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.driver import endings, findings, steps
from tests.lab import breakages, interference
from tests.lab.lab import Lab
from tests.lab.node import LabNode

pytestmark = pytest.mark.timeout(600, func_only=True)

MENDED_BY: dict[Callable[[LabNode], str], str] = {
    breakages.dead_rows: "db-vacuum",
    breakages.bloated_index: "db-reindex",
    breakages.full_spool: "disk-cleanup",
    breakages.stopped_archive: "service-restart",
}


def test_both_nodes_have_booted(lab: Lab) -> None:
    """They are two machines: systemd runs, nothing failed, and nothing that tells machines apart is the same."""
    for command in ("cat /etc/machine-id", "cat /proc/sys/kernel/random/boot_id", "hostname", "hostname -I"):
        answers = {node.run(*command.split()).stdout.strip() for node in lab.nodes.values()}
        assert len(answers) == 2, command
    for node in lab.nodes.values():
        assert node.run("systemctl", "is-system-running").stdout.strip() == "running"
        assert (
            node.run("systemctl", "is-active", "ssh", "postgresql@15-main", "orthanc").stdout.split() == ["active"] * 3
        )


def test_the_controller_can_look_at_both_nodes(lab: Lab) -> None:
    """Reached by SSH under their pinned keys; services, database and archive answer.

    That one node is not prepared, and so runs as root whatever this controller sends, is said as a warning. Which
    published weaknesses the packages have depends on the day of the image.
    """
    answer = lab.controller.do("check", "--json")
    rows = [row for row in answer.document["nodes"] if row["what"] != "version"]
    not_well = {(row["node"], row["what"], row["verdict"]) for row in rows if row["verdict"] != "ok"}
    assert not_well == {("pacs-a", "account", "warning")}
    assert {row["node"] for row in rows} == set(lab.nodes)
    assert answer.code == 0


def test_sound_nodes_need_nothing(lab: Lab) -> None:
    """Freshly loaded nodes get no step and no finding from any task."""
    answer = lab.controller.do("plan", "--json")
    assert steps(answer.document) == []
    assert findings(answer.document["entries"]) == []
    assert {entry["answer"]["kind"] for entry in answer.document["entries"]} == {"nothing"}
    assert answer.code == 0


def test_what_is_broken_is_mended_once(lab: Lab) -> None:
    """The plan says what is broken and nothing else, the run mends it, the next plan and run have nothing to do."""
    node = lab.nodes["pacs-a"]
    _mended_once(lab, {(task, fault(node)) for fault, task in MENDED_BY.items()})


def test_an_archive_that_hangs_is_restarted_once(lab: Lab) -> None:
    """It runs, takes connections and does not answer; its partner serves meanwhile and is left alone."""
    broken = breakages.hung_archive(lab.nodes["pacs-a"])
    _mended_once(lab, {("service-restart", broken)}, "--task", "service-restart")


@pytest.mark.both_down("the test stops both archives")
def test_both_nodes_broken_are_mended_one_after_another(lab: Lab) -> None:
    """Members of a group: what is done to one has ended before anything begins on the other."""
    lab.on_all(breakages.stopped_archive)
    done = endings(lab.controller.json("run"))
    assert {(node, ending) for node, *_, ending in done} == {("pacs-a", "done"), ("pacs-b", "done")}
    nodes = [r["node"] for r in lab.controller.records() if r["kind"] == "intent" and r["run"] == _last_run(lab)]
    assert nodes == sorted(nodes)


def test_a_reboot_is_another_boot_of_the_same_node(lab: Lab) -> None:
    """New boot id, same host key, same images, and everything serves again by itself."""
    node = lab.nodes["pacs-b"]
    before, images = node.boot_id(), node.store_manifest()
    node.reboot()
    assert re.fullmatch(r"[0-9a-f-]{36}", node.boot_id())
    assert node.boot_id() != before
    assert node.store_manifest() == images
    assert lab.controller.do("check").code == 0


def test_a_node_without_power_is_unseen_and_the_other_is_looked_at(lab: Lab) -> None:
    """One node's trouble never stops the other; after power is back, nothing stored has been lost."""
    node, images = lab.nodes["pacs-a"], lab.nodes["pacs-a"].store_manifest()
    node.power_off()
    answer = lab.controller.do("plan", "--json")
    node.power_on()
    kinds = {(entry["node"], entry["answer"]["kind"]) for entry in answer.document["entries"]}
    assert kinds == {("pacs-a", "unseen"), ("pacs-b", "nothing")}
    assert answer.code == 3
    node.wait_until_it_serves()
    assert node.store_manifest() == images
    assert steps(lab.controller.json("plan")) == []


@pytest.mark.parametrize("how", ["drop", "reject"])
def test_a_node_that_is_cut_off_is_unseen_in_time(lab: Lab, how: interference.Cut) -> None:
    """Whether packets vanish or are sent back, the answer comes in time; then all is well again."""
    with interference.cut(lab.nodes["pacs-a"], how, port=22):
        began = time.monotonic()
        rows = lab.controller.json("check")["nodes"]
        took = time.monotonic() - began
    assert _unseen(rows) == {"pacs-a"}
    assert took < 60
    assert lab.controller.do("check").code == 0


def test_a_machine_that_hangs_is_unseen_in_time(lab: Lab) -> None:
    """Its kernel accepts connections and nothing ever answers."""
    with interference.frozen(lab.nodes["pacs-b"]):
        began = time.monotonic()
        rows = lab.controller.json("check")["nodes"]
        took = time.monotonic() - began
    assert _unseen(rows) == {"pacs-b"}
    assert took < 60
    assert lab.controller.do("check").code == 0


def test_a_slow_and_lossy_line_tells_no_lie(lab: Lab) -> None:
    """At 256 kbit/s and with one packet in five lost, a dry run says the same, or that it could not look."""
    node = lab.nodes["pacs-a"]
    with interference.slowed(node), interference.cut(node, "lossy"):
        answer = lab.controller.do("plan", "--node", "pacs-a", "--task", "disk-cleanup", "--json")
    assert answer.code in {0, 3}
    assert steps(answer.document) == []


def _mended_once(lab: Lab, broken: set[tuple[str, str]], *options: str) -> None:
    planned = lab.controller.json("plan", *options)
    assert _due(planned) == {("pacs-a", *one) for one in broken}

    done = endings(lab.controller.json("run", *options))
    assert [(node, task, title) for node, task, title, _ in done] == steps(planned)
    assert {ending for *_, ending in done} == {"done"}
    assert _due(lab.controller.json("plan", *options)) == set()
    assert endings(lab.controller.json("run", *options)) == []


def _due(plan: dict[str, Any]) -> set[tuple[str, str, str]]:
    """List what a plan would do something to: node, task, and the bare name of the subject."""
    return {
        (entry["node"], entry["task"], re.split(r'[". ]+', step["subject"].rstrip('"'))[-1])
        for entry in plan["entries"]
        for step in entry["answer"].get("steps", ())
    }


def _unseen(rows: list[dict[str, str]]) -> set[str]:
    """Name the nodes that could not be looked at, and see that the others were."""
    unseen = {row["node"] for row in rows if row["verdict"] == "unknown"}
    assert not [row for row in rows if row["verdict"] == "wrong"]
    assert {"pacs-a", "pacs-b"} - unseen <= {row["node"] for row in rows if row["verdict"] == "ok"}
    return unseen


def _last_run(lab: Lab) -> str:
    run = lab.controller.records()[-1]["run"]
    assert isinstance(run, str)
    return run
