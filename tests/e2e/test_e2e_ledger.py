"""A store verified by its ledger over several nights: what is due, what a night brings to light, who is believed."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maintainer.errors import Exit
from maintainer.practice.database import SUPERUSER, connect
from tests.e2e.counting import counted
from tests.e2e.driver import controller, endings, findings, finished, steps
from tests.e2e.evidence import differences, evidence, store
from tests.e2e.nights import TASK, Nights
from tests.practice_fixture import Practice


@pytest.fixture
def nights(practice: Practice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Nights(practice, controller(tmp_path, {"practice": practice}))


def test_the_first_night(nights: Nights) -> None:
    """A plan names the quota and leaves no trace; the run reads it all and keeps the root; then nothing is due."""
    before = evidence(nights.practice)
    plan = nights.plan()
    assert differences(before, evidence(nights.practice)) == []
    ((_, _, title),) = steps(plan)
    assert title == "read 2.0 MB of the store, the fresh first, then the oldest reading"

    objects = store(nights.practice)
    run = nights.run()
    assert [ending for *_, ending in endings(run)] == ["done"]
    measured = run["tasks"][0]["steps"][0]["ending"]["measured"]
    assert (measured["stopped"], measured["objects"], measured["new"]) == ("nothing-left", 116, 116)
    assert measured["files_complete"] is True
    assert store(nights.practice) == objects

    after = nights.plan()["entries"][0]["answer"]
    assert (after["kind"], after["findings"]) == ("nothing", [])
    assert after["because"].startswith("100% of 2.0 MB was read within 1h")
    assert "116 objects verified against the archive's digest" in after["because"]
    kept = [record for record in nights.me.records() if record["kind"] == "measured"]
    assert [record["subject"] for record in kept] == [measured["ledger_root"], "store"]
    (told,) = nights.me.json("status")["stores"]
    assert (told["node"], told["coverage"]["within"], told["coverage"]["share"]) == ("practice", "1h", 1.0)
    assert "100% within 1h" in nights.me.here("status").stdout
    assert endings(nights.run()) == []


def test_a_run_that_is_stopped_closes_the_night(nights: Nights) -> None:
    """At this rate it would read for a minute and more; the next night goes on, and the ledger is believed."""
    nights.me.edit("[tasks.dicom-integrity]\n", '[tasks.dicom-integrity]\nrate = "20 kB"\n')
    process = nights.me.start("run", "--json", *TASK)
    until = time.monotonic() + 60
    while not _read_some(nights):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "it reads nothing"
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    told = finished(process)
    assert told.code == Exit.INTERRUPTED
    ((*_, ending),) = endings(told.document)
    assert ending == "done"
    measured = told.document["tasks"][0]["steps"][0]["ending"]["measured"]
    assert measured["stopped"] == "stop-asked"
    nights.next()
    plan = nights.plan()
    assert nights.causes(plan) == []
    assert steps(plan)


def _read_some(nights: Nights) -> bool:
    """Whether readings were committed already."""
    for found in nights.practice.folder.parent.rglob("store-ledger.sqlite"):
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(f"file:{found}?mode=ro", uri=True)) as ledger,
        ):
            return bool(ledger.execute("SELECT count(*) FROM objects WHERE looked > 256").fetchone()[0])
    return False


@pytest.mark.fault(38)
def test_what_a_night_brings_to_light_is_told_by_its_run(nights: Nights) -> None:
    """Rotten, modified, cut, missing, stray: each by its name; what the archive deleted is no finding; then mended."""
    nights.run()
    rotten, modified, cut, missing, deleted, *_ = nights.objects()
    kept = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (rotten, modified, cut, missing)}
    for path in (rotten, modified):
        content = bytearray(kept[path][0])
        content[-3] ^= 4
        path.write_bytes(content)
    os.utime(rotten, ns=(kept[rotten][1], kept[rotten][1]))
    cut.write_bytes(kept[cut][0][:-100])
    missing.unlink()
    deleted.unlink()
    with connect(nights.practice.layout, SUPERUSER) as database:
        name = str(deleted.relative_to(nights.practice.layout.store))
        assert database.execute("DELETE FROM objects WHERE path = %s", [name]).rowcount == 1
    stray = rotten.with_name("stray.dcm")
    stray.write_bytes(kept[rotten][0])
    while time.time() < stray.stat().st_ctime + 1.1:  # the grace of the practice PACS
        time.sleep(0.1)

    nights.next()
    run = nights.run()
    expected = {
        "object-bit-rot": rotten,
        "object-modified": modified,
        "object-size": cut,
        "object-missing": missing,
        "object-orphan": stray,
    }
    told = {cause: nights.me.json("log", "reveal", name)["is"] for _, cause, name in findings(run["tasks"])}
    assert told == {cause: str(path.relative_to(nights.practice.layout.store)) for cause, path in expected.items()}
    assert findings(nights.plan()["entries"]) == findings(run["tasks"])
    assert nights.me.json("log", "verify")["verified"] is True

    for path, (whole, at) in kept.items():
        path.write_bytes(whole)
        os.utime(path, ns=(at, at))
    stray.unlink()
    nights.next()
    nights.run()
    assert findings(nights.plan()["entries"]) == []


def test_what_a_person_acknowledges_is_shown_and_alarms_no_longer(nights: Nights) -> None:
    """Until another cause is found, or the object was good again; and the log tells who said so."""
    nights.run()
    damaged, *_ = nights.objects()
    whole, at = damaged.read_bytes(), damaged.stat().st_mtime_ns

    def damage_and_run(content: bytes) -> int:
        damaged.write_bytes(content)
        os.utime(damaged, ns=(at, at))
        nights.next()
        return nights.me.here("run", *TASK).code

    rotten = whole[:-3] + bytes([whole[-3] ^ 4]) + whole[-2:]
    assert damage_and_run(rotten) == Exit.TROUBLE
    (found,) = nights.me.json("store", "list")["findings"]
    name = found["finding"]["subject"]
    assert (found["finding"]["cause"], found["finding"]["acknowledged"]) == ("object-bit-rot", None)
    assert found["last_good"] < found["first_told"] <= found["last_told"]
    assert f"maintainer log reveal {name}" in nights.me.here("store", "show", name).stdout

    assert nights.me.here("store", "ack", name, "--why", "its film is kept", "--who", "Ann").code == Exit.FINE
    assert damage_and_run(rotten) == Exit.FINE
    plan = nights.me.here("plan", *TASK)
    assert (plan.code, "acknowledged by Ann" in plan.stdout, name in plan.stdout) == (Exit.FINE, True, True)
    for words in (("store", "list"), ("log", "list", "--kind", "acknowledged")):
        assert "its film is kept" in nights.me.here(*words).stdout
    assert damage_and_run(rotten[:-100]) == Exit.TROUBLE  # another cause

    assert damage_and_run(whole) == Exit.TROUBLE  # the look before the reading still tells what was
    assert nights.me.json("store", "list")["findings"] != []
    nights.next()
    assert nights.me.here("run", *TASK).code == Exit.FINE
    assert nights.me.json("store", "list")["findings"] == []
    assert damage_and_run(rotten) == Exit.TROUBLE  # after it had been good
    assert nights.me.json("log", "verify")["verified"] is True


@pytest.mark.fault(40)
def test_too_many_surprises_are_one_finding(nights: Nights) -> None:
    """Half of the files are gone: nothing is believed, nothing is listed, and the next good night takes it back."""
    nights.run()
    before = sqlite3.connect(nights.ledger).execute("SELECT key, looked FROM objects").fetchall()
    aside = nights.practice.folder / "aside"
    aside.mkdir()
    gone = nights.objects()[::2]
    for number, path in enumerate(gone):
        path.rename(aside / str(number))
    nights.next()
    run = nights.run()
    assert nights.causes(run) == ["store-lost"]
    assert sqlite3.connect(nights.ledger).execute("SELECT key, looked FROM objects").fetchall() == before
    for number, path in enumerate(gone):
        (aside / str(number)).rename(path)
    nights.next()
    nights.run()
    assert nights.causes(nights.plan()) == []


def test_a_store_that_is_not_mounted_is_refused(nights: Nights) -> None:
    """An empty folder where the store was: one critical finding, and nothing is learnt from it."""
    nights.run()
    nights.practice.layout.store.rename(nights.practice.folder / "unmounted")
    nights.practice.layout.store.mkdir()
    nights.next()
    answer = nights.plan()["entries"][0]["answer"]
    assert (answer["kind"], [one["cause"] for one in answer["findings"]]) == ("refuse", ["store-lost"])


def test_who_changes_the_ledger_is_found_out(nights: Nights) -> None:
    """One row is made to fit a damaged object, however the ledger is sealed again: the log knows the root."""
    nights.run()
    with contextlib.closing(sqlite3.connect(nights.ledger)) as opened, opened:
        opened.execute("UPDATE objects SET proof = ? WHERE key = (SELECT min(key) FROM objects)", (bytes(36),))
    nights.next()
    answer = nights.plan()["entries"][0]["answer"]
    assert (answer["kind"], [one["cause"] for one in answer["findings"]]) == ("refuse", ["ledger-tampered"])
    assert endings(nights.run()) == []


def test_a_ledger_that_is_gone_is_missed(nights: Nights) -> None:
    """A new one begins, and somebody is told."""
    nights.run()
    nights.ledger.unlink()
    nights.next()
    assert nights.causes(nights.plan()) == ["ledger-gone"]
    assert [ending for *_, ending in endings(nights.run())] == ["done"]
    assert nights.causes(nights.plan()) == []


def test_what_a_kill_left_half_written_is_taken_back(nights: Nights) -> None:
    """A plan cannot read such a ledger, nor repair it; the run does, and reads as much as it has time for."""
    nights.run()
    half_written = """
import os, sqlite3, sys
opened = sqlite3.connect(sys.argv[1], isolation_level=None)
opened.execute("PRAGMA cache_size = 1")
opened.execute("BEGIN IMMEDIATE")
opened.execute("CREATE TABLE much AS SELECT a.name, b.name, a.proof, b.proof FROM objects a, objects b")
opened.execute("UPDATE objects SET size = 0")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", half_written, str(nights.ledger)], check=True)
    nights.next()
    before = evidence(nights.practice)
    (step,) = nights.plan()["entries"][0]["answer"]["steps"]
    assert (step["reason"], step["action"]["quota"]) == ("its ledger was left open", None)
    assert differences(before, evidence(nights.practice)) == []
    assert [ending for *_, ending in endings(nights.run())] == ["done"]
    assert nights.causes(nights.plan()) == []


def test_a_quiet_night_costs_the_same_whatever_is_stored(nights: Nights) -> None:
    """Bytes on the connection of a night in which nothing has changed: as many with 2,100 objects as with 100."""
    with counted(nights.practice.ports.ssh) as network:
        nights.me.edit(f"port = {nights.practice.ports.ssh}", f"port = {network.port}")
        nights.run()
        quiet = nights.bytes_of_a_night(network)
        nights.store_many(2000)
        learning = nights.bytes_of_a_night(network)
        quiet_with_more = nights.bytes_of_a_night(network)
        told = nights.plan()["entries"][0]["answer"]["because"]
    assert "2116 objects verified against the archive's digest" in told
    assert learning > quiet + 2000 * 40
    assert quiet_with_more < quiet + 20_000
    assert quiet_with_more < 1_000_000
