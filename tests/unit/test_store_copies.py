"""What an archive says of its copies: which of its files are read, and which of several counts."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.archives.register import product
from maintainer.errors import CouldNotLook
from maintainer.links.store_copies import SLOWEST, copies, instances
from maintainer.model.task import StoreCopies, StoreInstances

ARCHIVE = product("practice")
SOON, HOUR = timedelta(seconds=30), timedelta(hours=1)


def row(uid: str, **changed: Any) -> dict[str, Any]:
    file = {"path": f"{uid}.dcm", "size": 100, "algorithm": "sha256", "digest": "AB"}
    return {"sop_instance_uid": uid, **file, **changed}


class Node:
    """An archive that lists `rows`; of the files that it is asked to read, those at `damaged` deviate."""

    name, node = "pacs-b", SimpleNamespace(dicom=SimpleNamespace(port=104))

    def __init__(
        self, *rows: dict[str, Any], damaged: tuple[str, ...] = (), checked: int = 100, mounted: bool = True
    ) -> None:
        self.rows, self.damaged, self.checked, self.mounted = rows, damaged, checked, mounted
        self.read: list[str] = []
        self.within = timedelta()

    def reading(self) -> Any:
        return SimpleNamespace(rows=lambda *_: [dict(one) for one in self.rows])

    def program(self) -> Any:
        def observe(_program: str, request: Any, within: timedelta) -> Any:
            assert request["pause"] == {"port": 104, "above": 10**6}
            self.within, objects = within, request["objects"][: self.checked]
            self.read = [path for _, path, *_ in objects]
            found = [[key, "digest", {}] for key, path, *_ in objects if path in self.damaged]
            return {"store_present": self.mounted, "checked": len(objects), "deviations": found}

        return SimpleNamespace(observe=observe)


def states(node: Any, *uids: str, objects: int = 9, within: timedelta = SOON) -> dict[str, Any]:
    asked = StoreCopies(uids=uids, most_objects=objects, soon=SOON, within=within)
    found: Any = copies(node, ARCHIVE, asked)
    return {uid: one["state"] for uid, one in found.items()}


def test_each_state() -> None:
    """Held against its own index's digest; where that has none, its size and header prove little."""
    node = Node(row("1"), row("2"), row("3", digest=None), damaged=("2.dcm",))
    assert states(node, "1", "2", "3", "4") == {"1": "sound", "2": "damaged", "3": "unproven"}


@pytest.mark.parametrize(
    ("limits", "read"),
    [
        ({"objects": 2, "within": 9 * HOUR}, ["1", "2"]),
        ({"objects": 0, "within": 9 * HOUR}, []),
        ({"within": 2.5 * HOUR}, ["1", "2"]),
        ({"within": HOUR}, ["1"]),
    ],
)
def test_no_more_is_read_than_allowed(limits: dict[str, Any], read: list[str]) -> None:
    """In the order in which they were asked for; the rest waits for another night."""
    node = Node(*(row(uid, size=SLOWEST * 3600) for uid in ("3", "2", "1")))
    found = states(node, "1", "2", "3", **limits)
    assert node.read == [f"{uid}.dcm" for uid in read]
    assert {uid for uid, state in found.items() if state == "waits"} == {"1", "2", "3"} - set(read)


def test_what_is_larger_than_all_that_may_be_read_does_not_wait() -> None:
    """No night would read it, and those after it are not held up by it."""
    node = Node(row("1", size=SLOWEST * 3601), row("2"))
    assert states(node, "1", "2", within=HOUR) == {"1": "not-read", "2": "sound"}


def test_what_is_large_is_read_last_and_gets_the_time_that_its_size_takes() -> None:
    """Three gigabytes of a cine, say: two minutes and a half more; without such, the time is short."""
    node = Node(row("1", size=SLOWEST * 150), row("2"))
    assert states(node, "1", "2", within=HOUR) == {"1": "sound", "2": "sound"}
    assert (node.read, round(node.within.total_seconds())) == (["2.dcm", "1.dcm"], 180)
    node.rows = (row("2"),)
    states(node, "2", within=HOUR)
    assert round(node.within.total_seconds()) == 30


def test_a_size_that_no_file_has_is_not_read() -> None:
    """A row of the partner's index may be damaged as well."""
    assert states(Node(row("1", size=-1), row("2", size=None)), "1", "2") == {"1": "not-read", "2": "not-read"}


def test_a_store_that_is_not_mounted_has_no_copies_to_judge() -> None:
    """Nobody could be asked, which is not to say that a copy was too large or is damaged."""
    with pytest.raises(CouldNotLook, match="not mounted"):
        states(Node(row("1"), mounted=False, checked=0), "1")


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
