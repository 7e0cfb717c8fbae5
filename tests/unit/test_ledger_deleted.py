"""A reading that is surprised by much that is missing: the index says whether the archive deleted it, or it is lost."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.links.store_ledger import _Night
from maintainer.model.action import VerifyStore

ACTION = VerifyStore(
    night="2026-11-24T22:00:00Z",
    quota=100,
    rate=None,
    threads=1,
    pause_above=1,
    grace=timedelta(days=1),
    lost_share=0.01,
)
READ = {"objects": 10, "bytes": 60, "seconds": 1.0, "files": 0, "files_complete": True, "proof": []}


class Node:
    """A node whose readings end one after the other as given; its index lists the paths of `listed` and no others."""

    name, is_cut, node = "node", False, SimpleNamespace(dicom=None)

    def __init__(self, readings: list[dict[str, Any]], listed: set[str]) -> None:
        self.readings, self.listed = readings, listed
        self.launched: list[tuple[str, int]] = []
        self.settled: list[dict[str, Any]] = []
        self.archive = SimpleNamespace(known_sql="", objects_sql="", has_index=True)
        self.stop_asked = lambda: False

    def rows(self, _text: str, parameters: Any) -> list[dict[str, Any]]:
        return [{"key": key, "path": f"p{key}"} for key in parameters["keys"] if f"p{key}" in self.listed]

    def ask(self, _program: str, _request: Any) -> Any:
        return {"objects": [], "strays": []}

    def program(self) -> Any:
        def launch(key: str, _program: str, request: Any, *_: Any, **__: Any) -> Any:
            self.launched.append((key, request["bytes"]))
            return {"state": "finished", "ok": True, "answer": {**READ, **self.readings.pop(0)}, "error": None}

        def act(_program: str, request: Any, _timeout: timedelta) -> Any:
            self.settled.append(request)
            return {}

        return SimpleNamespace(launch=launch, act=act)


def surprised(*keys: int) -> dict[str, Any]:
    return {"stopped": "surprises", "missing": [[key, f"p{key}"] for key in keys]}


def read(node: Any, time: timedelta = timedelta(hours=1)) -> dict[str, Any]:
    night = _Night(node, node, ACTION, "step-1", time)
    return night._read_on(night._read("step-1", ACTION.quota))


def test_what_the_archive_deleted_is_forgotten_and_the_rest_is_read() -> None:
    """Again under an operation's name of its own, for what is left of the quota, however often it deletes."""
    node = Node([surprised(1, 2), surprised(3), {"stopped": "quota"}], listed={"p2"})
    answer = read(node)
    assert (answer["stopped"], answer["objects"], answer["bytes"]) == ("quota", 30, 180)
    assert node.launched == [("step-1", 100), ("step-1-2", 40), ("step-1-3", 0)]
    assert [(one["gone"], one["explained"]) for one in node.settled] == [([1], True), ([3], True)]


def test_what_the_index_still_lists_is_lost() -> None:
    """Nothing was deleted, so nothing is forgotten, and nothing is read again."""
    node = Node([surprised(1, 2)], listed={"p1", "p2"})
    assert read(node)["stopped"] == "surprises"
    assert (len(node.launched), node.settled) == (1, [])


@pytest.mark.parametrize(("listed", "explained"), [(set[str](), True), ({"p2"}, False)])
def test_without_time_to_read_again_only_what_explains_all_is_no_loss(listed: set[str], *, explained: bool) -> None:
    """The night is over: what was deleted is forgotten in any case."""
    node = Node([surprised(1, 2)], listed)
    assert read(node, timedelta(seconds=1))["stopped"] == "surprises"
    assert [one["explained"] for one in node.settled] == [explained]


def test_pauses_of_every_reading_are_told() -> None:
    """Also when only the first one gave way to the archive."""
    paused = {"pauses": 1, "paused_seconds": 9.5, "paused_because": "images-move"}
    node = Node([{**surprised(1), **paused}, {**surprised(2), **paused}, {"stopped": "quota"}], listed=set())
    answer = read(node)
    assert (answer["pauses"], answer["paused_seconds"], answer["paused_because"]) == (2, 19.0, "images-move")
