"""What an archive says of its copies: which of its files are read, and which of several counts."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.archives.register import product
from maintainer.links.store_copies import copies, instances
from maintainer.model.task import StoreCopies, StoreInstances

ARCHIVE = product("practice")
SOON = timedelta(seconds=30)


def row(uid: str, **changed: Any) -> dict[str, Any]:
    file = {"path": f"{uid}.dcm", "size": 100, "algorithm": "sha256", "digest": "AB"}
    return {"sop_instance_uid": uid, **file, **changed}


class Node:
    """An archive that lists `rows`; of the files that it is asked to read, those at `damaged` deviate."""

    def __init__(self, *rows: dict[str, Any], damaged: tuple[str, ...] = (), checked: int = 100) -> None:
        self.rows, self.damaged, self.checked = rows, damaged, checked
        self.read: list[str] = []

    def reading(self) -> Any:
        return SimpleNamespace(rows=lambda *_: [dict(one) for one in self.rows])

    def program(self) -> Any:
        def observe(_program: str, request: Any, _within: timedelta) -> Any:
            objects = request["objects"][: self.checked]
            self.read = [path for _, path, *_ in objects]
            found = [[key, "digest", {}] for key, path, *_ in objects if path in self.damaged]
            return {"checked": len(objects), "deviations": found}

        return SimpleNamespace(observe=observe)


def states(node: Any, *uids: str, objects: int = 9, size: int = 900) -> dict[str, Any]:
    asked = StoreCopies(uids=uids, most_objects=objects, most_bytes=size, within=SOON)
    found: Any = copies(node, ARCHIVE, asked)
    return {uid: one["state"] for uid, one in found.items()}


def test_each_state() -> None:
    """Held against its own index's digest; where that has none, its size and header prove little."""
    node = Node(row("1"), row("2"), row("3", digest=None), damaged=("2.dcm",))
    assert states(node, "1", "2", "3", "4") == {"1": "sound", "2": "damaged", "3": "unproven"}


@pytest.mark.parametrize(
    ("limits", "read"),
    [({"objects": 2}, ["1", "2"]), ({"size": 250}, ["1", "2"]), ({"objects": 0}, []), ({"size": 100}, ["1"])],
)
def test_no_more_is_read_than_allowed(limits: dict[str, int], read: list[str]) -> None:
    """In the order in which they were asked for; the rest waits for another night."""
    node = Node(row("3"), row("2"), row("1"))
    found = states(node, "1", "2", "3", **limits)
    assert node.read == [f"{uid}.dcm" for uid in read]
    assert {uid for uid, state in found.items() if state == "waits"} == {"1", "2", "3"} - set(read)


def test_what_is_larger_than_all_that_may_be_read_does_not_wait() -> None:
    """No night would read it, and those after it are not held up by it."""
    assert states(Node(row("1", size=901), row("2")), "1", "2") == {"1": "not-read", "2": "sound"}


def test_what_there_was_no_time_for_was_not_read() -> None:
    """The node stops at its time, and says how far it came. Whose turn it was then does not come first for ever."""
    node = Node(row("1"), row("2"), row("3"), checked=1)
    assert states(node, "1", "2", "3") == {"1": "sound", "2": "not-read", "3": "waits"}


def test_the_best_of_several_files_counts() -> None:
    """One sound file is a copy, whatever became of another."""
    node = Node(row("1", path="a"), row("1", path="b"), damaged=("a",))
    assert states(node, "1") == {"1": "sound"}


def test_instances_are_looked_up_by_key() -> None:
    """The next key is another object, and what has no SOP instance UID is none."""
    node: Any = Node({**row("1"), "key": 5})
    found: Any = instances(node, ARCHIVE, StoreInstances(keys=(4, 5), within=SOON))
    assert found == {"5": {"uid": "1", "algorithm": "sha256", "digest": "ab"}}
    node = Node({**row("1"), "key": 5, "sop_instance_uid": None})
    assert instances(node, ARCHIVE, StoreInstances(keys=(5,), within=SOON)) == {}
