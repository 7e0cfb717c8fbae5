"""What is not believed: a store that is lost, a check that proves nothing, a ledger of another kind or store."""

import contextlib
import sqlite3

import pytest

from maintainer.errors import ActionFailed
from tests.contract.node.ledger_nights import learn, look, put, read, row, with_six_images
from tests.contract.node.own_node import OwnNode


@pytest.fixture
def node(own_node: OwnNode) -> OwnNode:
    return with_six_images(own_node)


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
