"""A damaged object whose group has a partner: the finding says what the partner's copy is worth."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maintainer.practice.database import SUPERUSER, connect
from tests.e2e.conftest import revive
from tests.e2e.driver import Controller, controller
from tests.e2e.evidence import differences, evidence
from tests.practice_fixture import Practice

RUN = ("run", "--json", "--task", "dicom-integrity", "--node", "pacs-a")


@pytest.fixture
def nodes(pair: dict[str, Practice]) -> Iterator[dict[str, Practice]]:
    """The pair, whose archives hold the same study, with its files as they were after each test."""
    kept = {path: path.read_bytes() for practice in pair.values() for path in _objects(practice)}
    try:
        yield pair
    finally:
        for path, content in kept.items():
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
        for practice in pair.values():
            revive(practice)


@pytest.fixture
def group(nodes: dict[str, Practice], tmp_path: Path) -> Controller:
    return controller(tmp_path, nodes, group=True)


def _objects(practice: Practice) -> list[Path]:
    return sorted(path for path in practice.layout.store.rglob("*") if path.is_file())


def _uids(practice: Practice) -> dict[str, Path]:
    """SOP instance UID → its file."""
    with connect(practice.layout, SUPERUSER) as database:
        rows = database.execute("SELECT sop_instance_uid, path FROM objects").fetchall()
    return {uid: practice.layout.store / path for uid, path in rows}


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


def _told(group: Controller, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each finding about an object says, by its file's name."""
    findings = [one for task in run["tasks"] for one in task["answer"]["findings"]]
    return {Path(group.json("log", "reveal", one["subject"])["is"]).name: one for one in findings}


@pytest.mark.fault(38)
def test_what_the_partner_has_is_told(group: Controller, nodes: dict[str, Practice]) -> None:
    """One is good there, one damaged there too, one is not there; nothing is changed there, no UID is told, and it is
    still known when the partner cannot be asked, and to a plan, which asks no partner.
    """
    here, there = _uids(nodes["pacs-a"]), _uids(nodes["pacs-b"])
    good, damaged, gone = sorted(here.keys() & there.keys())[:3]
    for uid in (good, damaged):
        _flip(here[uid])
    here[gone].unlink()
    _flip(there[damaged])
    with connect(nodes["pacs-b"].layout, SUPERUSER) as database:
        row = database.execute("DELETE FROM objects WHERE sop_instance_uid = %s RETURNING path, size, sha256", [gone])
        path, size, digest = row.fetchall()[0]
    before = evidence(nodes["pacs-b"])
    try:
        told = _told(group, group.here(*RUN).document)
        assert differences(before, evidence(nodes["pacs-b"])) == []
    finally:
        with connect(nodes["pacs-b"].layout, SUPERUSER) as database:
            insert = "INSERT INTO objects (sop_instance_uid, path, size, sha256) VALUES (%s, %s, %s, %s)"
            database.execute(insert, [gone, path, size, digest])
    assert {name: one["evidence"]["copy_on_pacs-b"] for name, one in told.items()} == {
        here[good].name: "good",
        here[damaged].name: "damaged",
        here[gone].name: "not-listed",
    }
    advice = told[here[good].name]["advice"]
    assert advice.endswith("pacs-b has it just as the index here lists it: fetch it from there")
    shown = group.here("store", "show", told[here[good].name]["subject"]).stdout
    assert "copy on pacs-b good" in shown
    assert not any(uid in shown + group.journal.read_text("utf-8") for uid in (good, damaged, gone))
    nodes["pacs-b"].down()
    again = _told(group, group.here(*RUN).document)
    assert {name: one["evidence"]["copy_on_pacs-b"] for name, one in again.items()} == {
        name: one["evidence"]["copy_on_pacs-b"] for name, one in told.items()
    }
    planned = group.here("plan", "--json", *RUN[2:]).document["entries"][0]["answer"]["findings"]
    known = {one["subject"]: one["evidence"]["copy_on_pacs-b"] for one in told.values()}
    assert {one["subject"]: one["evidence"]["copy_on_pacs-b"] for one in planned} == known


def test_a_partner_that_cannot_be_asked_is_told_as_that(group: Controller, nodes: dict[str, Practice]) -> None:
    """It costs the look nothing else; a dry run asks no partner at all."""
    here = _uids(nodes["pacs-a"])
    _flip(here[min(here)])
    nodes["pacs-b"].down()
    run = group.here(*RUN).document
    ((_, one),) = _told(group, run).items()
    assert (one["cause"], one["evidence"]["copy_on_pacs-b"]) == ("object-digest", "not-asked")
    assert one["advice"].endswith("pacs-b could not be asked for a copy")
    plan = group.here("plan", "--json", *RUN[2:]).document
    (same,) = plan["entries"][0]["answer"]["findings"]
    assert "copy_on_pacs-b" not in same["evidence"]
