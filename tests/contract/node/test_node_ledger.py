"""The ledger of a store on a real disk: what a night learns, reads and seals, and how it goes on after a kill."""

import contextlib
import hashlib
import io
import os
import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest

from maintainer.errors import ActionFailed, CouldNotLook
from maintainer.node import store_rows as ledger
from tests.contract.node.own_node import OwnNode, interpreters, manifest
from tests.contract.node.test_node_store import image

EVERYTHING: dict[str, Any] = {
    "bytes": None,
    "rate": None,
    "threads": 2,
    "walk": True,
    "grace_seconds": 0,
    "lost_share": 0.01,
}
UID = bytes(pydicom.dcmread(io.BytesIO(image(0))).SOPInstanceUID, "ascii")
NIGHT = "2026-11-24T22:00:00+00:00"


@pytest.fixture
def node(own_node: OwnNode) -> OwnNode:
    """A node with a store of six images, of which the index kept a digest of all but the last two."""
    for number in range(6):
        put(own_node, number)
    return own_node


def put(node: OwnNode, number: int, content: bytes | None = None) -> Path:
    file = node.store / "aa" / str(number)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(image(number) if content is None else content)
    return file


def row(number: int, **changed: Any) -> list[Any]:
    content = image(number)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest() if number < 4 else None
    fields = {"key": number + 1, "path": f"aa/{number}", "size": len(content), "algorithm": "md5", "digest": digest}
    return list({**fields, "kind": "dicom", "uid": None, **changed}.values())


def learn(node: OwnNode, *rows: list[Any], after: int = 0, through: int = 6, night: str = NIGHT) -> Any:
    return node.act("store-learn", night=night, after=after, through=through, objects=list(rows), lost_share=0.01)


def read(node: OwnNode, **changed: Any) -> Any:
    """Read, and prove that the store is as it was."""
    before = manifest(node.store)
    answer = node.act("store-read", **{**EVERYTHING, **changed})
    assert manifest(node.store) == before
    return answer


def seal(node: OwnNode, night: str = NIGHT) -> str:
    return str(node.act("store-seal", night=night, lost="", compared=None)["root"])


def settle(node: OwnNode) -> None:
    """Confirm all that deviates, as if the index still listed it."""
    found = node.observe("store-unsettled", limit=100)
    keys = [key for key, _, _ in found["objects"]]
    node.act("store-settle", confirmed=keys, gone=[], strays=found["strays"], known=[])


def look(node: OwnNode) -> Any:
    """Look, and prove that looking leaves no trace in the node's state."""
    before = manifest(node.state)
    answer = node.observe("store-ledger")
    assert manifest(node.state) == before
    return answer


def deviations(node: OwnNode) -> dict[str, str]:
    settle(node)
    return {path: verdict for path, verdict, _, _ in look(node)["ledger"]["deviations"]}


def age(node: OwnNode, seconds: int) -> None:
    """Let time pass since everything was read."""
    with contextlib.closing(sqlite3.connect(node.state / "store-ledger.sqlite")) as opened, opened:
        opened.execute("UPDATE turns SET began = began - ?", (seconds,))


def test_a_first_night(node: OwnNode) -> None:
    """Everything is fresh and read; what the archive has a digest of is verified, the rest has a baseline."""
    assert look(node) == {"store_present": True, "trouble": "none", "ledger": None}
    assert learn(node, *map(row, range(6))) == {"new": 6, "replaced": 0, "gone": 0, "lost": False}
    answer = read(node)
    assert (answer["stopped"], answer["objects"], answer["bytes"]) == ("nothing-left", 6, 6 * len(image(0)))
    assert (answer["files"], answer["files_complete"], answer["proof"]) == (6, True, [])
    root = seal(node)
    seen = look(node)["ledger"]
    assert (seen["root"], seen["sealed"], seen["night"], seen["seals"]) == (root, True, NIGHT, [root])
    assert seen["verified"] == {"archive": 4, "baseline": 0, "baselined": 2}
    assert (seen["objects"], seen["bytes"], seen["fresh_bytes"]) == (6, 6 * len(image(0)), 0)
    assert [(objects, size) for _, objects, size in seen["ages"]] == [(6, 6 * len(image(0)))]
    assert (node.state / "store-ledger.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("python", interpreters())
def test_every_python_keeps_the_same_ledger(node: OwnNode, python: str) -> None:
    """Whichever a node has: it reads, seals, and what this one then reads has the same root."""
    program, soon = node.program(python), timedelta(seconds=60)
    request: dict[str, Any] = {"night": NIGHT, "after": 0, "through": 6, "lost_share": 0.01}
    program.act("store-learn", {**request, "objects": [row(number) for number in range(6)]}, soon)
    answer: Any = program.act("store-read", EVERYTHING, soon)
    assert (answer["stopped"], answer["objects"], answer["proof"]) == ("nothing-left", 6, [])
    sealed: Any = program.act("store-seal", {"night": NIGHT, "lost": "", "compared": None}, soon)
    assert look(node)["ledger"]["root"] == sealed["root"]


def test_a_second_night_verifies_against_the_first(node: OwnNode) -> None:
    """What has no digest of the archive is verified against our own reading of the night before."""
    learn(node, *map(row, range(6)))
    read(node)
    read(node)
    assert look(node)["ledger"]["verified"] == {"archive": 4, "baseline": 2, "baselined": 0}


@pytest.mark.fault(38)
def test_each_change_is_told_as_what_it_is(node: OwnNode) -> None:
    """Same size and time is bit rot, another time a modification; what was good is known with its time."""
    learn(node, *map(row, range(6)))
    read(node)
    for number in (0, 4):
        file = node.store / "aa" / str(number)
        at = file.stat().st_mtime_ns
        put(node, number, image(number + 50))
        os.utime(file, ns=(at, at))
    put(node, 1, image(51))
    put(node, 2, image(2)[:-1])
    (node.store / "aa" / "3").unlink()
    put(node, 9)
    read(node)
    assert look(node)["ledger"]["unconfirmed"] == 6
    assert deviations(node) == {
        "aa/0": "bit-rot",
        "aa/4": "bit-rot",
        "aa/1": "modified",
        "aa/2": "size",
        "aa/3": "missing",
        "aa/9": "orphan",
    }
    assert look(node)["ledger"]["unconfirmed"] == 0
    evidence = {path: evidence for path, _, evidence, _ in look(node)["ledger"]["deviations"]}
    assert 0 <= evidence["aa/0"]["last_good_seconds_ago"] < 1000
    assert (evidence["aa/2"]["expected"], evidence["aa/2"]["found"]) == (len(image(2)), len(image(2)) - 1)


def test_what_is_repaired_is_sound_again(node: OwnNode) -> None:
    """A deviating object is read again each night, before what is merely old."""
    put(node, 0, image(50))
    learn(node, *map(row, range(6)))
    read(node)
    assert deviations(node) == {"aa/0": "digest"}
    put(node, 0)
    assert read(node, bytes=0)["objects"] == 1
    assert deviations(node) == {}
    assert look(node)["ledger"]["verified"]["archive"] == 4


@pytest.mark.fault(39)
def test_what_the_archive_replaced_or_deleted_is_no_deviation(node: OwnNode) -> None:
    """The index tells another digest, or the object no longer: the ledger follows, and forgets what it found."""
    learn(node, *map(row, range(6)))
    read(node)
    put(node, 0, image(50))
    (node.store / "aa" / "1").unlink()
    read(node)
    assert deviations(node) == {"aa/0": "modified", "aa/1": "missing"}
    digest = hashlib.md5(image(50), usedforsecurity=False).hexdigest()
    told = learn(node, row(0, digest=digest), *map(row, range(2, 6)))
    assert told == {"new": 0, "replaced": 1, "gone": 1, "lost": False}
    assert read(node, bytes=0)["objects"] == 1
    assert deviations(node) == {}
    assert look(node)["ledger"]["objects"] == 5


def test_a_quota_takes_the_oldest(node: OwnNode) -> None:
    """What was read longest ago comes first, and no object more than the quota takes."""
    learn(node, *map(row, range(6)))
    read(node)
    with contextlib.closing(sqlite3.connect(node.state / "store-ledger.sqlite")) as opened, opened:
        opened.execute("UPDATE objects SET looked = ? WHERE key = 4", (ledger.NEVER + 1,))
        opened.execute("UPDATE objects SET looked = ? WHERE key <> 4", (ledger.NEVER + 2,))
        opened.execute("INSERT INTO turns VALUES (?, 1)", (ledger.NEVER + 2,))
    answer = read(node, bytes=1, rate=len(image(0)))
    assert (answer["stopped"], answer["objects"]) == ("quota", 1)
    with contextlib.closing(sqlite3.connect(node.state / "store-ledger.sqlite")) as opened:
        assert opened.execute("SELECT key FROM objects ORDER BY looked DESC LIMIT 1").fetchone() == (4,)


def test_another_instance_than_the_indexs_is_told_until_it_is_that_one(node: OwnNode) -> None:
    """Its bytes are those of the archive's digest, night after night; then the index names the instance that it is."""
    uid, other = (hashlib.sha256(uid).digest()[:8].hex() for uid in (UID, b"1.2.3"))
    learn(node, row(0, uid=other), row(1, uid=uid), row(4, uid=other), *map(row, (2, 3, 5)))
    for _ in range(2):
        read(node)
        assert deviations(node) == {"aa/0": "header", "aa/4": "header"}
        assert look(node)["ledger"]["deviations"][0][2]["why"] == "other-instance"
    for size in (1, len(image(0))):
        learn(node, row(0, uid=uid, size=size), row(1, uid=uid), row(4, uid=other), *map(row, (2, 3, 5)))
    read(node)
    assert deviations(node) == {"aa/4": "header"}


def test_an_executable_preamble_hides_no_other_instance(node: OwnNode) -> None:
    """Both are told, night after night: what is not the instance of the index is nobody's baseline."""
    other = hashlib.sha256(b"1.2.3").digest()[:8].hex()
    put(node, 4, b"MZ" + image(4)[2:])
    learn(node, row(4, uid=other), *map(row, (0, 1, 2, 3, 5)))
    for _ in range(2):
        read(node)
        assert deviations(node) == {"aa/4": "executable-preamble"}
        assert look(node)["ledger"]["deviations"][0][2]["header"] == "other-instance"


def test_what_is_new_is_read_first_and_whatever_the_quota_is(node: OwnNode) -> None:
    """It has its baseline in the first night in which there is time for it."""
    learn(node, *map(row, range(3)), through=3)
    read(node)
    learn(node, *map(row, range(6)))
    answer = read(node, bytes=0)
    assert (answer["stopped"], answer["objects"]) == ("quota", 3)
    seen = look(node)["ledger"]
    assert (seen["fresh_objects"], seen["verified"]) == (0, {"archive": 4, "baseline": 0, "baselined": 2})


@pytest.mark.parametrize("seconds", [0, -3600], ids=["in the same second", "after the clock was set back"])
def test_the_next_night_reads_again_whatever_the_clock_says(node: OwnNode, seconds: int) -> None:
    """What was read in the night before is due again also when its time is this moment, or still to come."""
    learn(node, *map(row, range(6)))
    read(node)
    age(node, seconds)
    for _ in range(5):
        answer = read(node)
        assert (answer["objects"], answer["stopped"]) == (6, "nothing-left")


def test_a_turn_did_not_begin_after_a_later_one(node: OwnNode) -> None:
    """A clock that was a month ahead for a night does not make its readings young for a month."""
    learn(node, *map(row, range(6)))
    read(node)
    age(node, -30 * 86400)
    (today,) = {day for day, *_ in look(node)["ledger"]["ages"]}
    read(node, bytes=1, rate=len(image(0)))
    age(node, 2 * 86400)
    assert [(day - today, objects) for day, objects, _ in look(node)["ledger"]["ages"]] == [(-2, 6)]


def test_a_time_of_change_may_be_any(node: OwnNode) -> None:
    """Also one that no ledger can write: the object is read, and what changes in it under that time is bit rot."""
    for _ in range(2):
        for number, at in ((0, 15_000_000_000), (1, -2_000_000_000)):
            os.utime(node.store / "aa" / str(number), (at, at))
        learn(node, *map(row, range(6)))
        assert read(node)["objects"] == 6
        put(node, 0, image(50))
        put(node, 1, image(51))
    assert deviations(node) == {"aa/0": "bit-rot", "aa/1": "bit-rot"}


def test_before_all_is_learnt_no_file_is_a_stray(node: OwnNode) -> None:
    """Without the walk, files that the ledger does not know yet are not held against it."""
    learn(node, row(0), through=1)
    answer = read(node, walk=False)
    assert (answer["objects"], answer["files"], answer["files_complete"]) == (1, 0, False)
    assert node.observe("store-unsettled", limit=100)["strays"] == []


def test_a_rate_is_kept(node: OwnNode) -> None:
    """Six images at twice their size a second take about three seconds."""
    learn(node, *map(row, range(6)))
    answer = read(node, rate=2 * len(image(0)))
    assert 2.0 <= answer["seconds"] <= 15


@pytest.mark.fault(40)
def test_many_surprises_at_once_are_not_believed(own_node: OwnNode) -> None:
    """Thirty of sixty objects are gone: the reading stops, and the ledger is as it was."""
    for number in range(60):
        put(own_node, number)
    learn(own_node, *(row(number, digest=None) for number in range(60)), through=60)
    read(own_node)
    for number in range(30):
        (own_node.store / "aa" / str(number)).unlink()
    assert read(own_node)["stopped"] == "surprises"
    seen = look(own_node)["ledger"]
    assert seen["lost"].startswith("surprises ")
    assert seen["verified"]["baselined"] == 60
    assert own_node.observe("store-unsettled", limit=100) == {"objects": [], "strays": []}


def test_an_index_that_has_lost_half_is_not_followed(own_node: OwnNode) -> None:
    """More than 1,000 objects and 1 % of all are no longer listed: it says so, and forgets none of them."""
    rows = [row(0, key=key, path=f"aa/{key}", digest=None) for key in range(1, 4001)]
    learn(own_node, *rows, through=4000)
    assert learn(own_node, *rows[2000:], through=4000)["lost"] is True
    assert look(own_node)["ledger"]["objects"] == 4000
    assert learn(own_node, *rows[500:], through=4000)["gone"] == 500
    assert learn(own_node, *rows[1200:], through=4000)["lost"] is True, "all of one night count together"
    assert learn(own_node, *rows[1200:], through=4000, night="another")["gone"] == 700


def test_a_check_that_does_not_find_what_was_planted_is_void(node: OwnNode) -> None:
    """Something lies among the planted faults that was not planted: it is found, so nothing is read on this word."""
    learn(node, *map(row, range(6)))
    planted = node.state / "proof" / "bb"
    planted.mkdir(0o700, parents=True)
    (planted / "surprise").write_bytes(b"")
    answer = read(node)
    assert (answer["stopped"], answer["objects"]) == ("no-proof", 0)
    assert answer["proof"] == ["bb/surprise: planted as nothing, found as orphan"]
    assert look(node)["ledger"]["proof"] == answer["proof"]


def test_an_unmounted_store_is_not_read(node: OwnNode) -> None:
    """An empty folder is no store whose objects are all missing."""
    learn(node, *map(row, range(6)))
    node.store.rename(node.base / "aside")
    node.store.mkdir()
    assert read(node)["stopped"] == "no-store"
    seen = look(node)
    assert (seen["store_present"], seen["ledger"]["lost"], seen["ledger"]["fresh_objects"]) == (False, "store", 6)


def test_the_deadline_ends_it_and_the_next_night_goes_on(node: OwnNode) -> None:
    """At a crawl the time is over first; what was read by then is in the ledger, and is not read again."""
    learn(node, *map(row, range(6)))
    answer = node.act("store-read", 6, **{**EVERYTHING, "rate": len(image(0)) // 2, "threads": 1})
    assert answer["stopped"] == "deadline"
    assert 0 < answer["objects"] < 6
    assert read(node, bytes=0)["objects"] == 6 - answer["objects"]


def test_a_killed_run_loses_seconds(node: OwnNode) -> None:
    """Launched, killed in the middle: what was committed stays, who looks is told, and the next run goes on."""
    learn(node, *map(row, range(6)))
    root = seal(node)
    request = {**EVERYTHING, "rate": len(image(0)) // 4, "threads": 1}
    node.program().launch("op-1", "store-read", request, 120)
    until = time.monotonic() + 60
    while look_for_some(node) == 0 and time.monotonic() < until:
        time.sleep(0.2)
    pid = int((node.state / "operations" / "running").read_text().split()[1])
    for worker in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(worker), 9)
    assert node.observe("operation", id="op-1", wait_seconds=20)["state"] == "finished"
    seen = node.observe("store-ledger")
    if seen["trouble"] == "":
        assert (seen["ledger"]["sealed"], seen["ledger"]["seals"]) == (False, [root])
    else:
        assert seen["trouble"] == "interrupted"
    left = read(node, bytes=0)
    assert left["stopped"] == "quota"
    assert 0 < left["objects"] < 6
    assert look(node)["ledger"]["fresh_objects"] == 0


def look_for_some(node: OwnNode) -> int:
    with contextlib.suppress(sqlite3.OperationalError, CouldNotLook):
        seen = node.observe("store-ledger")
        return 6 - int(seen["ledger"]["fresh_objects"]) if seen["ledger"] else 0
    return 0


def test_a_damaged_ledger_is_said(node: OwnNode) -> None:
    """Who looks is told, and who acts is refused with what to do."""
    learn(node, *map(row, range(6)))
    (node.state / "store-ledger.sqlite").write_bytes(b"no database at all" * 1000)
    assert look(node) == {"store_present": True, "trouble": "damaged", "ledger": None}
    with pytest.raises(ActionFailed, match="cannot be used"):
        read(node)


def test_a_ledger_of_an_older_layout_is_begun_anew(node: OwnNode) -> None:
    """Who looks is told so, and the next night makes a new one in its place."""
    node.state.mkdir(mode=0o700, exist_ok=True)
    with contextlib.closing(sqlite3.connect(node.state / "store-ledger.sqlite")) as opened, opened:
        opened.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        opened.execute("CREATE TABLE objects (key INTEGER PRIMARY KEY, path TEXT)")
        opened.execute("CREATE INDEX objects_path ON objects (path)")
        opened.executemany("INSERT INTO meta VALUES (?, ?)", [("format", "1"), ("store", str(node.store))])
    assert look(node) == {"store_present": True, "trouble": "older-format", "ledger": None}
    assert learn(node, *map(row, range(6)))["new"] == 6
    assert read(node)["objects"] == 6


def test_a_ledger_of_a_newer_layout_is_left_alone(node: OwnNode) -> None:
    """It was made by a program that knows more of it than this one."""
    learn(node, *map(row, range(6)))
    with contextlib.closing(sqlite3.connect(node.state / "store-ledger.sqlite")) as opened, opened:
        opened.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    assert look(node)["trouble"] == "another-format"
    with pytest.raises(ActionFailed, match="another format"):
        read(node)


def test_a_ledger_belongs_to_one_store(node: OwnNode) -> None:
    """With another store in the policy it is not gone by."""
    learn(node, *map(row, range(6)))
    other = node.base / "other"
    other.mkdir()
    node.policy["store"] = str(other)
    assert look(node)["trouble"] == "another-store"
    with pytest.raises(ActionFailed, match="another store"):
        read(node)


def test_sums_tell_where_two_sides_differ(node: OwnNode) -> None:
    """Objects, keys and sizes are summed over ranges of keys."""
    size = len(image(0))
    learn(node, *map(row, range(6)))
    sums = node.observe("store-sums")
    assert sums == {
        "width": 4,
        "last_key": 6,
        "sums": [[0, 3, "6", 3 * size], [1, 3, "15", 3 * size]],
        "compared": 0,
    }


def test_a_comparison_goes_on_where_the_night_stopped(node: OwnNode) -> None:
    """The node keeps the place, also over a night that compared nothing."""
    learn(node, *map(row, range(6)))
    for compared in (4, None, 0):
        node.act("store-seal", night=NIGHT, lost="", compared=compared)
        assert node.observe("store-sums")["compared"] == (4 if compared is None else compared)
