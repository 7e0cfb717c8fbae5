"""A ledger of a store, an index and a clock that are otherwise than they should be: a night goes on all the same."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from maintainer.node import deadline, observe_store_list, store
from tests.contract.node.ledger_nights import deviations, learn, look, put, read, row, seal
from tests.contract.node.own_node import OwnNode

STORE: Any = store.Store
DEADLINE: Any = deadline.Deadline
LISTING: Any = observe_store_list.Listing


@pytest.fixture
def node(own_node: OwnNode) -> OwnNode:
    for number in range(6):
        put(own_node, number)
    return own_node


def test_a_ledger_that_was_only_just_made_is_none(node: OwnNode) -> None:
    """A full disk, or a kill, between making the file and writing to it: the next night begins as if there was none."""
    node.state.mkdir(mode=0o700, exist_ok=True)
    (node.state / "store-ledger.sqlite").touch(0o600)
    assert look(node) == {"store_present": True, "trouble": "none", "ledger": None}
    assert node.observe("store-sums") == {"width": 1, "last_key": 0, "sums": [], "compared": 0}
    assert node.observe("store-unsettled", limit=9) == {"objects": [], "strays": []}
    assert learn(node, *map(row, range(6)))["new"] == 6
    assert read(node)["objects"] == 6


@pytest.mark.parametrize("layout", ["1", "3"])
def test_a_night_asks_nothing_of_an_older_layout(node: OwnNode, layout: str) -> None:
    """Before anything is learnt, the ledger is compared with the index: there is nothing in it yet."""
    node.state.mkdir(mode=0o700, exist_ok=True)
    with contextlib.closing(sqlite3.connect(node.state / "store-ledger.sqlite")) as opened, opened:
        opened.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        opened.execute("CREATE TABLE objects (key INTEGER PRIMARY KEY, path TEXT)")
        opened.executemany("INSERT INTO meta VALUES (?, ?)", [("format", layout), ("store", str(node.store))])
    assert node.observe("store-sums") == {"width": 1, "last_key": 0, "sums": [], "compared": 0}
    assert node.observe("store-unsettled", limit=9) == {"objects": [], "strays": []}


def test_keys_may_be_large(node: OwnNode) -> None:
    """They are summed up as they are, however many there are in a range."""
    first = 9 * 10**17
    rows: list[Any] = [row(0, key=first + number) for number in range(12)]
    node.act("store-learn", night="n", after=first - 1, through=first + 11, objects=rows, lost_share=0.01)
    ((_, count, keys, _),) = node.observe("store-sums")["sums"]
    assert (count, int(keys)) == (12, 12 * first + 66)


@pytest.mark.parametrize(("moved", "listed"), [(0, []), (1800, []), (10 * 365 * 86400, ["stray"])])
def test_what_was_written_while_the_clock_was_ahead_is_not_young(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int, listed: list[str]
) -> None:
    """Else nobody would look at a file until that time has come."""
    (tmp_path / "stray").write_bytes(b"?")
    then = time.time() - moved
    monkeypatch.setattr(time, "time", lambda: then)
    there = STORE(str(tmp_path), lambda _name: True)
    listing = LISTING(there, 9, 3600.0, DEADLINE(60))
    top = there.open_top()
    try:
        listing.add_folder(top, "", "", 0)
    finally:
        os.close(top)
    assert (listing.files, listing.young) == (listed, 1 - len(listed))


def test_a_name_that_no_archive_gives_is_no_trouble(node: OwnNode) -> None:
    """Neither for the reading, nor for whoever is told."""
    for name in (b"\xff\xfe", "\u202eevil".encode(), b"new\nline", b"x" * 255, b"$(id)"):
        Path(os.fsdecode(os.fsencode(node.store) + b"/" + name)).write_bytes(b"?")
    learn(node, *map(row, range(6)))
    assert read(node)["files_complete"] is True
    found: Any = deviations(node)
    assert found == dict.fromkeys(("\u202eevil", "new\nline", "x" * 255, "$(id)"), "orphan")
    assert look(node)["ledger"]["skipped"] == {"not-utf-8": 1}


@pytest.mark.parametrize(("known", "lost"), [(0, "strays 24 of 24"), (24, "strays 24 of 48"), (25, "")])
def test_more_strays_than_objects_are_one_fact(own_node: OwnNode, known: int, lost: str) -> None:
    """The index was lost, or is of another store; with fewer, each is a finding."""
    for number in range(known + 24):
        put(own_node, number)
    own_node.act("store-learn", night="n", after=0, through=known, objects=[*map(row, range(known))], lost_share=0.01)
    read(own_node)
    found = deviations(own_node)
    seal(own_node)
    assert (len(found), look(own_node)["ledger"]["lost"]) == (24, lost)


def test_long_paths_are_asked_about_in_parts(own_node: OwnNode) -> None:
    """However long they are, and in whatever letters: an answer that is too large would be none."""
    folder = "\u75c5\u9662" * 40
    rows: list[Any] = [row(0, key=key, path=f"{folder}/{folder}/{folder}/{key}") for key in range(1, 5001)]
    own_node.act("store-learn", night="n", after=0, through=5000, objects=rows[:2500], lost_share=1)
    own_node.act("store-learn", night="n", after=2500, through=5000, objects=rows[2500:], lost_share=1)
    with contextlib.closing(sqlite3.connect(own_node.state / "store-ledger.sqlite")) as opened, opened:
        opened.execute("UPDATE objects SET verdict = 10")
        opened.execute("INSERT INTO deviations SELECT key, '{}', 0, NULL FROM objects")
    found = own_node.observe("store-unsettled", limit=10000)["objects"]
    assert 1000 < len(found) < 5000
    assert [key for key, *_ in found] == [*range(1, len(found) + 1)]
