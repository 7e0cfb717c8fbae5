"""The ledger of a store on a real disk: what a night learns, reads and seals, and how it goes on after a kill."""

import contextlib
import os
import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import CouldNotLook
from maintainer.node import store_rows as ledger
from tests.contract.node.images import image
from tests.contract.node.ledger_nights import EVERYTHING, NIGHT, age, learn, look, read, row, seal, with_six_images
from tests.contract.node.own_node import OwnNode, interpreters


@pytest.fixture
def node(own_node: OwnNode) -> OwnNode:
    return with_six_images(own_node)


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
