"""A store in service: a real Orthanc stores and deletes while it is verified, is damaged meanwhile, loses its disk."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from maintainer.intervention_log.pseudonyms import Pseudonyms
from tests.e2e.driver import Answer, finished
from tests.lab import breakages
from tests.lab.condition import PREPARED_STATE
from tests.lab.controller import LONGEST
from tests.lab.guard import STATE, Night
from tests.lab.images import STUDY, ct_slices, send
from tests.lab.node import LabNode

pytestmark = pytest.mark.timeout(600, func_only=True)

RUN = ("run", "--node", "pacs-b", "--task", "dicom-integrity", "--json")
PLAN = ("plan", *RUN[1:])
TASK, LEDGER = "[tasks.dicom-integrity]\n", 'verify_all_within = "1h"\n'
ZONES = ("Etc/GMT-9", "Etc/GMT-5", "Etc/GMT-1", "Etc/GMT+3", "Etc/GMT+7")
AS_IT_CAME = {"executable-preamble": "object-executable-preamble", "not-dicom": "object-header"}
"""Bad already when it was stored, so that the archive's digest fits."""
LATER = {
    "truncated-object": "object-size",
    "emptied-object": "object-size",
    "flipped-bit": "object-bit-rot",
    "missing-file": "object-missing",
    "replaced-object": "object-modified",
    "unreadable-object": "object-unreadable",
    "orphan-file": "object-orphan",
}
UNITS = "systemctl list-units --plain --no-legend 'maintainer-*'"
A_LINK = (None, "files-not-judged")  # by which one of them was replaced
# Orthanc's own interface, asked from the node itself: it is closed to others.
DELETE_STUDY = """
import json, sys, urllib.request
def ask(path, body=None, verb=None):
    request = urllib.request.Request("http://127.0.0.1:8042" + path, body, method=verb)
    return urllib.request.urlopen(request).read()
for uid in sys.argv[1:]:
    for found in json.loads(ask("/tools/lookup", uid.encode())):
        if found["Type"] == "Study":
            ask("/studies/" + found["ID"], verb="DELETE")
"""


@dataclass
class Clinic:
    """A day of an archive, in fast motion: a study comes every moment, and the one before the last is deleted."""

    node: LabNode
    size: int = 64
    slices: int = 10
    stored: int = 0
    deleted: int = 0
    troubles: list[str] = field(default_factory=list)

    def work(self, ends: threading.Event) -> None:
        for number in count(1):
            try:
                taken = send(self.node.address, (), ct_slices(self._study(number), self.slices, self.size))
                if taken != self.slices:
                    self.troubles.append(f"{taken} of study {number} were taken")
                self.stored += 1
                if number > 2:
                    self._delete(number - 2)
            except Exception as error:  # noqa: BLE001 (told by the test)
                self.troubles.append(f"{type(error).__name__}: {error}")
            if ends.is_set():
                break

    def close(self) -> None:
        """Leave the archive as it was before the first study came."""
        for number in range(max(1, self.stored - 1), self.stored + 1):
            self._delete(number)

    def _delete(self, number: int) -> None:
        self.node.run("python3", "-c", DELETE_STUDY, self._study(number))
        self.deleted += 1

    def _study(self, number: int) -> str:
        return f"{STUDY}.7.{number}"


@contextlib.contextmanager
def at_work(night: Night, node: LabNode, size: int = 64) -> Iterator[Clinic]:
    clinic, ends = Clinic(node, size), threading.Event()
    with night.lab.network():
        worker = threading.Thread(target=clinic.work, args=(ends,))
        worker.start()
    try:
        while clinic.stored == 0 and not clinic.troubles:
            time.sleep(0.05)
        yield clinic
    finally:
        ends.set()
        worker.join()
        clinic.close()


@pytest.fixture
def zones(night: Night) -> Iterator[list[str]]:
    """Let pacs-b keep a ledger for the test; gives zones whose days begin at other times, the inventory's first."""
    found = [zone for zone in ZONES if datetime.now(ZoneInfo(zone)).hour < 20][:2]
    night.controller.edit('"Europe/Paris"', f'"{found[0]}"')
    night.controller.edit(TASK, f"{TASK}{LEDGER}")
    forget(night.b)
    yield found
    forget(night.b)


def forget(node: LabNode) -> None:
    for state in (STATE, PREPARED_STATE):
        node.run("sh", "-c", f"rm -rf {state}/store-ledger.sqlite* {state}/proof")


@pytest.mark.fault(38)
@pytest.mark.fault(39)
def test_damage_is_found_while_the_archive_stores_and_deletes(night: Night, zones: list[str]) -> None:
    """Each as what it is and nothing else, in a store that never stands still; and where a good copy is."""
    node = night.b
    with breakages.undone(node):
        as_it_came = {(breakages.STORE_FAULTS[name](node), cause) for name, cause in AS_IT_CAME.items()}
        time.sleep(breakages.SETTLE)
        assert found(night, night.do(*RUN)) == as_it_came
        later = {(breakages.STORE_FAULTS[name](node), cause) for name, cause in LATER.items()}
        time.sleep(breakages.SETTLE)
        before = node.store_manifest()
        night.controller.edit(f'"{zones[0]}"', f'"{zones[1]}"')
        night.controller.edit(TASK, f'{TASK}rate = "3MB"\n')
        with at_work(night, node) as clinic:
            answer = night.do(*RUN)
            while_it_ran = (clinic.stored, clinic.deleted)
        assert found(night, answer) == {*as_it_came, *later, A_LINK}
        assert min(while_it_ran) >= 3, while_it_ran
        assert clinic.troubles == []
        assert read(answer)["objects"] > node_objects(node)
        assert copies(answer) == {"good"}
        assert node.store_manifest() == before


@pytest.mark.usefixtures("zones")
def test_the_archive_goes_first(night: Night) -> None:
    """While CTs come in nothing is read, and the ending says so; afterwards everything is."""
    node = night.b
    with at_work(night, node, size=512) as clinic:
        process = night.controller.start(*RUN)
        until = time.monotonic() + 60
        while not node.run("sh", "-c", UNITS).stdout and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(4)
    answer = night.heard(finished(process, LONGEST))
    assert (found(night, answer), clinic.troubles) == (set(), [])
    assert (read(answer)["pauses"] >= 1, read(answer)["paused_because"]) == (True, "images-move")
    assert read(answer)["paused_seconds"] >= 2
    assert read(answer)["objects"] >= node_objects(node)


@pytest.mark.fault(40)
def test_a_lost_mount_is_one_finding(night: Night, zones: list[str]) -> None:
    """Nothing is read and no object is blamed, with a ledger and without one; mounted again, all is as it was."""
    node = night.b
    night.do(*RUN)
    night.controller.edit(f'"{zones[0]}"', f'"{zones[1]}"')
    with unmounted(node):
        answer = night.do(*RUN)
        assert (found(night, answer), severities(answer)) == ({(None, "store-lost")}, ["critical"])
        assert answer.document["tasks"][0]["answer"]["kind"] == "refuse"
        with without_ledger(night):
            plan = night.do(*PLAN)
        assert (found(night, plan), severities(plan)) == ({(None, "store-lost")}, ["critical"])
    answer = night.do(*RUN)
    assert found(night, answer) == set()
    assert read(answer)["objects"] == node_objects(node)


@contextlib.contextmanager
def unmounted(node: LabNode) -> Iterator[None]:
    """Let an empty folder be where the store's disk is mounted."""
    node.run("mount", "-t", "tmpfs", "nothing", breakages.STORE)
    try:
        yield
    finally:
        node.run("umount", breakages.STORE)


@contextlib.contextmanager
def without_ledger(night: Night) -> Iterator[None]:
    night.controller.edit(LEDGER, "")
    try:
        yield
    finally:
        night.controller.edit(TASK, f"{TASK}{LEDGER}")


def found(night: Night, answer: Answer) -> set[tuple[str | None, str]]:
    """List the findings, with the paths that stand behind the names that protect patients."""
    pseudonyms = Pseudonyms(night.controller.state)
    return {(pseudonyms.reveal(one["subject"]), one["cause"]) for one in told(answer)}


def told(answer: Answer) -> list[dict[str, Any]]:
    entries = answer.document.get("tasks") or answer.document["entries"]
    return [one for entry in entries for one in entry["answer"]["findings"]]


def severities(answer: Answer) -> list[str]:
    return [one["severity"] for one in told(answer)]


def copies(answer: Answer) -> set[str]:
    """What the partner's copies are worth of everything that is to be fetched from elsewhere."""
    wanted = {"object-size", "object-bit-rot", "object-missing", "object-modified", "object-unreadable"}
    return {one["evidence"]["copy_on_pacs-a"] for one in told(answer) if one["cause"] in wanted}


def read(answer: Answer) -> dict[str, Any]:
    """What the one step measured."""
    measured: dict[str, Any] = answer.document["tasks"][0]["steps"][0]["ending"]["measured"]
    return measured


def node_objects(node: LabNode) -> int:
    return int(node.sql("SELECT count(*) FROM attachedfiles;"))
