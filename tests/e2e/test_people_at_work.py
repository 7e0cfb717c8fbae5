"""People and the agent on the same two practice PACS: it keeps off, says why, and goes on when it is told to."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind
from tests.e2e.conftest import revive
from tests.e2e.driver import Controller, controller, findings
from tests.practice_fixture import Practice

pytestmark = pytest.mark.xdist_group("e2e-people")

TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M}"
WORK = ("--who", "Ann", "--company", "ACME", "--on-site", "--scope", "new disks", "--until", TOMORROW)
RESTART = ("--task", "service-restart")
BROKEN_START = '#!/bin/sh\n[ "$1" = start ] && exit 1\nexec {whole} "$@"\n'


@pytest.fixture
def nodes(pair: dict[str, Practice]) -> Iterator[dict[str, Practice]]:
    """The pair, mended after each test."""
    try:
        yield pair
    finally:
        for practice in pair.values():
            revive(practice)


@pytest.fixture
def site(nodes: dict[str, Practice], tmp_path: Path) -> Controller:
    """A controller that knows the two as a group and watches a file of the first."""
    made = controller(tmp_path, nodes, group=True)
    watched = nodes["pacs-a"].folder / "archive.conf"
    watched.write_text("storage = fast\n", "utf-8")
    made.edit("[nodes.pacs-a]\n", f'[nodes.pacs-a]\nwatch = ["{watched}"]\n')
    return made


def by_hand(practice: Practice, verb: str) -> None:
    """Do what a person at the machine does."""
    subprocess.run([practice.layout.archive_script, verb], check=True, capture_output=True)


def ended(run: dict[str, Any]) -> list[str]:
    """How each step ended; a failure says why."""
    return [
        " ".join([done["ending"]["ending"], done["ending"].get("error", "")]).strip()
        for task in run["tasks"]
        for done in task["steps"]
    ]


def kinds(answers: list[dict[str, Any]]) -> dict[str, str]:
    """Each node's answer of the one task."""
    return {one["node"]: one["answer"]["kind"] for one in answers}


@pytest.mark.fault(29)
def test_the_agent_keeps_off_while_a_person_works(site: Controller, nodes: dict[str, Practice]) -> None:
    """What Ann stops stays stopped, what she changed is in the log; then the agent brings the archive back."""
    opened = site.json("log", "open", "pacs-a", *WORK)
    assert (opened["format"], opened["not_looked"]) == ("maintainer.intervention/1", "")
    by_hand(nodes["pacs-a"], "stop")
    (nodes["pacs-a"].folder / "archive.conf").write_text("storage = slow\n", "utf-8")

    plan, run = site.do("plan", "--json", *RESTART), site.do("run", "--json", *RESTART)
    assert (plan.code, run.code) == (4, 4)
    for answers in (plan.document["entries"], run.document["tasks"]):
        assert kinds(answers) == {"pacs-a": "refuse", "pacs-b": "nothing"}
        assert "Ann of ACME is at work on pacs-a (on-site: new disks)" in answers[0]["answer"]["because"]
    assert site.json("status")["people"] == [run.document["tasks"][0]["answer"]["because"]]

    closed = site.json("log", "close", "pacs-a", "--note", "slow disks")
    changed = f"{nodes['pacs-a'].folder}/archive.conf changed"
    elsewhere = [change for change in closed["changes"] if " free on " in change]  # what others on this machine write
    assert closed["changes"] == ["service archive running → stopped", changed, *elsewhere]
    last = site.records()[-1]
    assert (last["kind"], last["text"]) == ("intervention-closed", "; ".join(closed["changes"]))
    assert ended(site.json("run", *RESTART)) == ["done", "done"]
    assert site.do("log", "verify").code == 0


def test_the_partner_is_not_taken_down_meanwhile(site: Controller) -> None:
    """A restart of pacs-b that is due by age waits until Ann has left pacs-a."""
    site.edit('max_age = "30d"', 'max_age = "1s"')
    site.json("log", "open", "pacs-a", *WORK)
    answers = site.json("plan", *RESTART)["entries"]
    assert kinds(answers) == {"pacs-a": "refuse", "pacs-b": "refuse"}
    assert "this node must go on serving" in answers[1]["answer"]["because"]
    site.json("log", "close", "pacs-a")
    assert kinds(site.json("plan", *RESTART)["entries"]) == {"pacs-a": "steps", "pacs-b": "steps"}


def test_a_node_that_is_off_is_signed_in_and_out_all_the_same(site: Controller, nodes: dict[str, Practice]) -> None:
    """Whoever works there may have it down: the agent says so, and keeps off."""
    port = nodes["pacs-a"].ports.ssh
    site.edit(f"port = {port} ", "port = 1 ")
    opened = site.do("log", "open", "pacs-a", *WORK, "--json")
    assert opened.code == 0
    assert opened.document["not_looked"]
    assert site.do("plan", *RESTART).code == 4
    closed = site.do("log", "close", "pacs-a")
    assert (closed.code, "not compared" in closed.stdout) == (0, True)


@pytest.mark.fault(25)
def test_a_frozen_group_waits_for_a_person(site: Controller, nodes: dict[str, Practice]) -> None:
    """An archive that does not come back freezes both nodes, every night, until somebody has looked and says so."""
    script = nodes["pacs-a"].layout.archive_script
    whole = script.rename(script.with_name("archive.whole"))
    script.write_text(BROKEN_START.format(whole=whole), "utf-8")
    script.chmod(0o700)
    by_hand(nodes["pacs-a"], "stop")
    run = site.do("run", "--json", *RESTART)
    assert ("pacs-a", "group-frozen", "archive") in findings(run.document["tasks"])
    whole.replace(script)

    plan = site.do("plan", "--json")
    assert plan.code == 4
    assert {entry["answer"]["kind"] for entry in plan.document["entries"]} == {"refuse"}
    assert site.do("run", "--unattended").code == 4
    (group,) = site.json("group", "list")["groups"]
    assert (group["group"], group["frozen"], group["members"]) == ("archive", True, ["pacs-a", "pacs-b"])
    (waits,) = site.json("status")["waiting"]
    assert (waits["kind"], waits["id"]) == ("group", "archive")
    assert "maintainer group thaw archive --why" in waits["do"]

    assert site.do("group", "thaw", "archive", "--why", " ").code == 2
    assert site.do("group", "thaw", "archive", "--why", "script repaired").code == 0
    assert site.do("group", "thaw", "archive", "--why", "again").code == 2
    assert ended(site.json("run", *RESTART)) == ["done", "done"]


def test_a_step_that_no_look_can_settle_waits_for_a_word(site: Controller) -> None:
    """The node is left alone until a person says how it ended; the record carries their name and reason."""
    with InterventionLog.open(site.state, origin="practice") as log:
        step = log.append(
            Kind.INTENT, node="pacs-a", task="no-longer-there", subject="x", title="do x", actor="agent"
        ).step
    run = site.do("run", "--json", *RESTART)
    assert (run.code, kinds(run.document["tasks"])["pacs-a"]) == (3, "refuse")
    assert site.do("plan", *RESTART).code == 4
    (waits,) = site.json("status")["waiting"]
    assert (waits["kind"], waits["id"], waits["node"]) == ("step", step, "pacs-a")
    assert site.do("settle", "step-none", "--as", "done", "--why", "x").code == 2
    settled = site.json("settle", step, "--as", "done", "--why", "seen on the console")["records"][0]
    assert (settled["kind"], settled["ending"], settled["text"]) == ("reconciled", "done", "seen on the console")
    assert "@" in settled["actor"]
    assert site.do("plan", *RESTART).code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("log", "open", "pacs-c", *WORK), "there is no node pacs-c"),
        (("log", "open", "pacs-a", *WORK[:-1], "2001-01-01T00:00"), "--until is 2000-12-31 23:00 UTC"),
        (("log", "open", "pacs-a", *WORK[:4], *WORK[5:]), "--on-site or --remote"),
        (("log", "close", "pacs-a"), "nobody is at work on pacs-a"),
        (("settle", "step-0", "--as", "done", "--why", "x"), "no step step-0 waits for a word"),
        (("group", "thaw", "archive", "--why", "x"), "the group archive is not frozen"),
    ],
)
def test_a_wrong_word_is_one_sentence(site: Controller, words: tuple[str, ...], says: str) -> None:
    """Nothing is written, and the sentence says what is wrong."""
    answer = site.do(*words)
    assert (answer.code, says in answer.stderr) == (2, True)
