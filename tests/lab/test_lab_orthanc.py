"""The store of a real Orthanc with its index in PostgreSQL: sound, damaged in every way, holding more than images."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from maintainer.intervention_log.pseudonyms import Pseudonyms
from tests.e2e.driver import Answer, findings
from tests.lab import breakages
from tests.lab.guard import STATE
from tests.lab.lab import Lab
from tests.lab.node import LabNode

pytestmark = pytest.mark.timeout(600, func_only=True)

FOUND_AS = {
    "truncated-object": "object-size",
    "emptied-object": "object-size",
    "flipped-bit": "object-digest",
    "missing-file": "object-missing",
    "replaced-object": "object-digest",
    "unreadable-object": "object-unreadable",
    "executable-preamble": "object-executable-preamble",
    "not-dicom": "object-header",
    "orphan-file": "object-orphan",
}
# Orthanc's own interface, asked from the node itself: it is closed to others.
REST = """
import sys, urllib.request
verb, path, body = sys.argv[1:]
request = urllib.request.Request("http://127.0.0.1:8042" + path, body.encode() if verb != "GET" else None, method=verb)
sys.stdout.write(urllib.request.urlopen(request).read().decode())
"""
ZONES = ("Etc/GMT-9", "Etc/GMT-5", "Etc/GMT-1", "Etc/GMT+3", "Etc/GMT+7")
OTHER_FILES = """
SELECT left(uuid, 2) || '/' || substr(uuid, 3, 2) || '/' || uuid FROM attachedfiles
WHERE filetype <> 1 OR compressiontype <> 1;
"""


def test_every_damage_is_found_as_what_it_is(lab: Lab) -> None:
    """Nine objects damaged in nine ways: nothing else is found, nothing is repaired, and the partner is sound."""
    node = lab.nodes["pacs-b"]
    with breakages.undone(node):
        planted = {("pacs-b", fault(node), FOUND_AS[name]) for name, fault in breakages.STORE_FAULTS.items()}
        time.sleep(breakages.SETTLE)
        before = node.store_manifest()
        answer = lab.controller.do("plan", "--task", "dicom-integrity", "--json")
        # The link that an object was replaced by is no file, and said to be none, besides.
        assert _found(lab, answer) == {*planted, ("pacs-b", None, "files-not-judged")}
        assert answer.code == 1
        assert node.store_manifest() == before
    assert _found(lab, lab.controller.do("plan", "--task", "dicom-integrity", "--json")) == set()


def test_attachments_and_compressed_objects_are_files_like_others(lab: Lab, other_files: list[str]) -> None:
    """A report beside an image and an image that Orthanc compressed are known, and are not taken for bad DICOM."""
    node = lab.nodes["pacs-b"]
    assert len(other_files) == 2
    answer = lab.controller.do("plan", "--node", "pacs-b", "--task", "dicom-integrity", "--json")
    assert _found(lab, answer) == set()
    (entry,) = answer.document["entries"]
    listed = node.sql("SELECT count(*) FROM attachedfiles;").strip()
    assert f"{listed} objects" in entry["answer"]["because"]
    assert f"{listed} files" in entry["answer"]["because"]


def test_damage_of_attachments_and_compressed_objects_is_found(lab: Lab, other_files: list[str]) -> None:
    """Their digests are those of the bytes on disk, so that one changed byte tells."""
    node = lab.nodes["pacs-b"]
    with breakages.undone(node):
        for path in other_files:
            breakages.change_byte(node, path, 3)
        answer = lab.controller.do("plan", "--node", "pacs-b", "--task", "dicom-integrity", "--json")
    assert _found(lab, answer) == {("pacs-b", path, "object-digest") for path in other_files}


@pytest.mark.fault(38)
def test_a_ledger_finds_the_same_in_its_first_night(lab: Lab, other_files: list[str], nights: list[str]) -> None:
    """Every damage by the same name, told by the run that found it; repaired, the next night finds nothing.

    Two were planted in the index as well: that it tells another digest again is found in the next night, and what it
    tells is read in the one after.
    """
    node, run = lab.nodes["pacs-b"], ("run", "--node", "pacs-b", "--task", "dicom-integrity", "--json")
    assert len(other_files) == 2
    with breakages.undone(node):
        planted = {("pacs-b", fault(node), FOUND_AS[name]) for name, fault in breakages.STORE_FAULTS.items()}
        time.sleep(breakages.SETTLE)
        before = node.store_manifest()
        assert _found(lab, lab.controller.do(*run), "tasks") == {*planted, ("pacs-b", None, "files-not-judged")}
        assert node.store_manifest() == before
    for before_it, night in pairwise(nights):
        lab.controller.edit(f'"{before_it}"', f'"{night}"')
        time.sleep(breakages.SETTLE)
        lab.controller.do(*run)
    plan = lab.controller.do("plan", "--node", "pacs-b", "--task", "dicom-integrity", "--json")
    assert _found(lab, plan) == set()
    listed = node.sql("SELECT count(*) FROM attachedfiles;").strip()
    assert f"{listed} objects verified against the archive's digest" in plan.document["entries"][0]["answer"]["because"]


@pytest.fixture
def nights(lab: Lab) -> Iterator[list[str]]:
    """Let pacs-b keep a ledger for the test; gives zones whose days begin at other times, the inventory's first."""
    before = lab.controller.inventory.read_text("utf-8")
    zones = [zone for zone in ZONES if datetime.now(ZoneInfo(zone)).hour < 20][:3]
    lab.controller.edit('"Europe/Paris"', f'"{zones[0]}"')
    lab.controller.edit("[tasks.dicom-integrity]\n", '[tasks.dicom-integrity]\nverify_all_within = "1h"\n')
    yield zones
    lab.controller.inventory.write_text(before, "utf-8")
    lab.nodes["pacs-b"].run("sh", "-c", f"rm -rf {STATE}/store-ledger.sqlite* {STATE}/proof")


@pytest.fixture
def other_files(lab: Lab) -> Iterator[list[str]]:
    """Two files of the store that are not DICOM as it came in: an attached report and an image that was compressed."""
    node = lab.nodes["pacs-b"]
    images = sorted(json.loads(_rest(node, "GET", "/instances")))
    report, compressed = f"/instances/{images[0]}/attachments/1024", f"/instances/{images[1]}/attachments/dicom"
    _rest(node, "PUT", report, "a report, which is no image")
    _rest(node, "POST", f"{compressed}/compress")
    time.sleep(breakages.SETTLE)
    try:
        yield node.sql(OTHER_FILES).split()
    finally:
        _rest(node, "DELETE", report)
        _rest(node, "POST", f"{compressed}/uncompress")
        time.sleep(breakages.SETTLE)


def _rest(node: LabNode, verb: str, path: str, body: str = "") -> str:
    return node.run("python3", "-c", REST, verb, path, body).stdout


def _found(lab: Lab, answer: Answer, where: str = "entries") -> set[tuple[str, str | None, str]]:
    """List the findings, with the paths that stand behind the names that protect patients."""
    pseudonyms = Pseudonyms(lab.controller.state)
    found = findings(answer.document[where])
    return {(node, pseudonyms.reveal(subject), cause) for node, cause, subject in found}
