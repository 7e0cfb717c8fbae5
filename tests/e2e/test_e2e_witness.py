"""The end of the log is cut off, or an older disk of the controller put back: the nodes were shown more (FAULTS 47)."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maintainer.errors import Exit
from tests.e2e.driver import Controller, controller
from tests.practice_fixture import Practice


@pytest.fixture
def me(practice: Practice, tmp_path: Path) -> Controller:
    return controller(tmp_path, {"practice": practice})


def spool(practice: Practice) -> set[Path]:
    return set(practice.layout.spool.rglob("*"))


@pytest.mark.fault(47)
def test_fault_47_an_older_disk_of_the_controller(practice: Practice, me: Controller, tmp_path: Path) -> None:
    """By itself that log is sound. The run ends before it does anything, again and again, until a person says why."""
    assert me.do("run").code == Exit.FINE
    shutil.copytree(me.state, tmp_path / "older", copy_function=shutil.copy2)
    assert me.do("run").code == Exit.FINE
    longer = len(me.records())
    shutil.rmtree(me.state)
    shutil.copytree(tmp_path / "older", me.state, copy_function=shutil.copy2)
    assert me.json("log", "verify")["verified"] is True

    practice.break_("full-spool")
    before = spool(practice)
    while len(me.records()) <= longer + 2:  # also once it has grown longer than what the node was shown
        refused = me.do("run")
        assert refused.code == Exit.LOG
        assert f"not the log that practice was shown: that had {longer - 2} records" in refused.stderr
        assert "maintainer node release practice --accept-log" in refused.stderr
    assert spool(practice) == before
    assert [row for row in me.json("check")["nodes"] if row["what"] == "lease"] == []

    assert me.do("node", "release", "practice", "--why", "restored the backup of Monday").code == Exit.FINE
    assert me.do("run").code == Exit.LOG
    accepted = ("node", "release", "practice", "--accept-log", "--why", "restored the backup of Monday")
    assert me.do(*accepted).code == Exit.FINE
    assert me.do("run").code == Exit.FINE
    assert spool(practice) != before
    notes = [record["text"] for record in me.records() if record["kind"] == "note"]
    assert "which is to take this log for the right one: restored the backup of Monday" in notes[-1]


@pytest.mark.fault(47)
def test_fault_47_the_end_is_cut_off(practice: Practice, me: Controller) -> None:
    """With the signed checkpoint of that time put back beside it: the controller alone could not tell."""
    me.do("run")
    lines, note = me.journal.read_bytes().splitlines(keepends=True), (me.state / "checkpoint.txt").read_bytes()
    me.do("run")
    practice.break_("full-spool")
    before = spool(practice)
    me.journal.write_bytes(b"".join(lines))
    (me.state / "checkpoint.txt").write_bytes(note)
    assert me.json("log", "verify")["verified"] is True
    refused = me.do("run")
    assert refused.code == Exit.LOG
    assert "not the log that practice was shown" in refused.stderr
    assert spool(practice) == before


def test_a_log_that_goes_on_is_believed(practice: Practice, me: Controller) -> None:
    """What people write between two runs, and a node that was reset to an earlier day, change nothing."""
    shown = practice.layout.home / ".local" / "state" / "maintainer" / "witness.json"
    me.do("run")
    earlier = shown.read_bytes()
    until = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M}"
    who = ("--who", "Ann", "--company", "ACME", "--on-site", "--scope", "a disk")
    assert me.do("log", "open", "practice", *who, "--until", until).code == Exit.FINE
    assert me.do("log", "close", "practice").code == Exit.FINE
    assert me.do("run").code == Exit.FINE
    assert shown.read_bytes() != earlier
    shown.write_bytes(earlier)
    assert me.do("run").code == Exit.FINE


def test_a_release_that_does_not_come_to_its_end_is_on_record(practice: Practice, me: Controller) -> None:
    """The node gave up the lease before it found that it cannot forget: whoever reads the log later is told."""
    me.do("run")
    witness = practice.layout.home / ".local" / "state" / "maintainer" / "witness.json"
    witness.write_text("{}")
    done = me.do("node", "release", "practice", "--accept-log", "--why", "restored the backup of Monday")
    assert done.code == Exit.TROUBLE
    assert "witness.json" in done.stderr
    note = me.records()[-1]
    assert (note["kind"], note["node"]) == ("note", "practice")
    assert "began to release the lease" in note["text"]
    assert note["text"].endswith("restored the backup of Monday")
