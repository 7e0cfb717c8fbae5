"""What an index lists, asked in pieces and compared with a ledger over several nights."""

import hashlib
from collections import defaultdict
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.links import store_index, store_ledger
from maintainer.links.store_index import Index
from maintainer.model.action import VerifyStore

ACTION = VerifyStore(
    night="2026-11-24T22:00:00Z",
    quota=1,
    rate=None,
    threads=1,
    grace=timedelta(days=1),
    lost_share=0.01,
    pause_above=10**6,
)
READ: Any = dict.fromkeys(("objects", "bytes", "files"), 1)
READ.update(stopped="quota", seconds=1.0, files_complete=True, proof=[])
ARCHIVE: Any = SimpleNamespace(objects_sql="listed", known_sql="known", has_index=True)
SIZES = st.dictionaries(st.integers(1, 60), st.integers(0, 3), max_size=40)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_index, "PIECE", 4)
    monkeypatch.setattr(store_index, "PAGE", 3)


class Database:
    """An index of objects, as key → size, which answers what the questions mean."""

    def __init__(self, sizes: dict[int, int]) -> None:
        self.sizes, self.asked = sizes, list[str]()

    def rows(self, text: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append(text)
        found = [key for key in sorted(self.sizes) if key > asked["after"]][: asked["limit"]]
        if text == "listed":
            uids = {key: f"2.25.{key}" if key % 2 else None for key in found}
            sizes, same = self.sizes, {"algorithm": "md5", "digest": None, "kind": "dicom"}
            return [{"key": k, "path": str(k), "size": sizes[k], "sop_instance_uid": uids[k], **same} for k in found]
        if "GROUP BY" not in text:
            size = sum(self.sizes[key] for key in found)
            return [{"objects": len(found), "bytes": size, "reached": max(found, default=None)}]
        places = defaultdict[int, list[int]](list)
        for key in found:
            if key <= asked["last_key"]:
                places[key // asked["width"]].append(key)
        return [self._summed(place, keys) for place, keys in places.items()]

    def _summed(self, place: int, keys: list[int]) -> dict[str, Any]:
        size = sum(self.sizes[key] for key in keys)
        return {"place": place, "objects": len(keys), "keys": str(sum(keys)), "bytes": size, "reached": max(keys)}


@given(SIZES, st.integers(0, 60))
def test_what_arrived_is_counted_piece_by_piece(sizes: dict[int, int], after: int) -> None:
    """As one question over all would."""
    new = [size for key, size in sizes.items() if key > after]
    assert Index(ARCHIVE, Database(sizes).rows).arrived(after) == (len(new), sum(new), True)


def test_of_what_arrived_no_more_is_counted_than_there_is_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said that there is more."""
    monkeypatch.setattr(store_index, "TO_COUNT", 0)
    assert Index(ARCHIVE, Database({1: 1}).rows).arrived(0) == (0, 0, False)


@given(SIZES, st.integers(1, 70), st.integers(0, 70), st.integers(0, 5))
def test_sums_are_the_same_in_pieces(sizes: dict[int, int], width: int, last_key: int, first: int) -> None:
    """Each range once, however pieces cut it, and no question about more than a piece."""
    pieces = list(Index(ARCHIVE, Database(sizes).rows).sums(width, first, last_key))
    expected = defaultdict[int, list[int]](list)
    for key in sizes:
        if key <= last_key and key // width >= first:
            expected[key // width].append(key)
    found = [(place, tuple(sums)) for _, piece in pieces for place, sums in piece.items()]
    told = [(place, (len(keys), sum(keys), sum(map(sizes.__getitem__, keys)))) for place, keys in expected.items()]
    assert found == sorted(told)
    assert [end for end, _ in pieces] == sorted(end for end, _ in pieces)
    if pieces:
        assert pieces[-1][0] == last_key // width + 1


def of_uid(key: int) -> str:
    return hashlib.sha256(f"2.25.{key}".encode()).hexdigest()[:16]


class Ledger:
    """A node that learns, with time for a few questions a night."""

    name, is_cut = "node", False

    def __init__(self, sizes: dict[int, int], listed: dict[int, int], width: int) -> None:
        self.sizes, self.width, self.compared = dict(sizes), width, 0
        self.database = Database(listed)
        self.archive, self.rows = ARCHIVE, self.database.rows
        self.node = SimpleNamespace(dicom=None)

    def ask(self, program: str, _request: Any) -> Any:
        if program == "store-unsettled":
            return {"objects": [], "strays": []}
        last_key = max(self.sizes, default=0)
        places = defaultdict[int, list[int]](list)
        for key in self.sizes:
            places[key // self.width].append(key)
        sums = [[p, len(keys), str(sum(keys)), sum(map(self.sizes.__getitem__, keys))] for p, keys in places.items()]
        return {"width": self.width, "last_key": last_key, "sums": sums, "compared": self.compared}

    def program(self) -> Any:
        return SimpleNamespace(act=self.act, launch=self.launch)

    def launch(self, *_asked: Any, **_wait: Any) -> dict[str, Any]:
        return {"state": "finished", "ok": True, "answer": READ, "error": None}

    def stop_asked(self) -> bool:
        return len(self.database.asked) > 3

    def act(self, program: str, request: Any, _timeout: timedelta) -> Any:
        if program == "store-learn":
            told = {key: size for key, _, size, *_ in request["objects"]}
            assert [uid for *_, uid in request["objects"]] == [of_uid(key) if key % 2 else None for key in told]
            kept = {key: size for key, size in self.sizes.items() if not request["after"] < key <= request["through"]}
            self.sizes = {**kept, **told}
        elif program == "store-seal" and request["compared"] is not None:
            self.compared = request["compared"]
        return {"new": 0, "replaced": 0, "gone": 0, "lost": False, "root": "R"}

    def night(self) -> None:
        self.database.asked.clear()
        link: Any = self
        store_ledger.verify(link, link, ACTION, "step-1", timedelta(hours=1))


TOLD_APART = st.dictionaries(st.integers(1, 60), st.integers(1, 3), min_size=1, max_size=40).map(
    lambda found: {key: size * 4 ** (key % 20) for key, size in found.items()}
)
"""Objects whose sums tell them apart: where two exchange their sizes, say, they do not, and only the reading does."""


@given(TOLD_APART, TOLD_APART, TOLD_APART, st.integers(1, 20))
def test_a_ledger_follows_its_index_in_a_few_nights(
    known: dict[int, int], listed: dict[int, int], later: dict[int, int], width: int
) -> None:
    """However short they are: each goes on where the one before it stopped, and begins again after the last range."""
    ledger = Ledger(known, listed, width)
    for now in (listed, later):
        ledger.database.sizes = now
        for _ in range(60):
            ledger.night()
        assert ledger.sizes == now
