"""One run holds a node at a time, and the node itself keeps to that: FAULTS 9 and 10 on the node's side."""

import json
import os
import subprocess
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from maintainer.errors import ActionFailed, CouldNotLook, NodeHeld
from maintainer.node import lease as rules
from tests.contract.node.own_node import OwnNode, hold, interpreters
from tests.contract.node.prepared import prepare

TIME = timedelta(seconds=20)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small filesystem takes root")


@pytest.fixture
def own_node(own_node: OwnNode) -> OwnNode:
    """One that nobody has held yet."""
    (own_node.state / "lease.json").unlink()
    own_node.old("due.log")
    return own_node


def lease(node: OwnNode, verb: str, **fields: JsonValue) -> Any:
    return node.program(lease=None).act("lease", {"verb": verb, **fields}, TIME)


def take(node: OwnNode, controller: str = "a", run: str = "r1") -> dict[str, JsonValue]:
    token = lease(node, "take", controller=controller, run=run, who=f"agent@{controller}")["token"]
    return {"controller": controller, "run": run, "token": token}


def act(node: OwnNode, claim: dict[str, JsonValue] | None) -> Any:
    return node.program(lease=claim).act("quarantine", {"root": "spool"}, TIME)


def holder(node: OwnNode) -> Any:
    answer: Any = node.observe("holder")
    return answer["holder"]


@pytest.mark.parametrize("python", interpreters())
def test_taken_used_and_given_back(own_node: OwnNode, python: str) -> None:
    """On every Python of a node: who holds it acts, and afterwards nobody holds it."""
    program = own_node.program(python, lease=None)
    taken: Any = program.act("lease", {"verb": "take", "controller": "a", "run": "r1", "who": "agent@a"}, TIME)
    claim: dict[str, JsonValue] = {"controller": "a", "run": "r1", "token": taken["token"]}
    seen: Any = program.observe("holder", {}, TIME)
    assert (seen["token"], seen["holder"]["who"], seen["holder"]["age_seconds"] < 60) == (1, "agent@a", True)
    assert own_node.program(python, lease=claim).act("quarantine", {"root": "spool"}, TIME)["moved_files"] == 1  # type: ignore[index, call-overload]  # (a mapping, by contract)
    program.act("lease", {"verb": "renew", **claim}, TIME)
    program.act("lease", {"verb": "release", **claim}, TIME)
    assert holder(own_node) is None
    with pytest.raises(NodeHeld, match="not held any more"):
        act(own_node, claim)


def test_nobody_acts_without_a_lease(own_node: OwnNode) -> None:
    """Neither before anybody took it nor beside who has it."""
    for claim in (None, {"controller": "a", "run": "r1", "token": 1}):
        with pytest.raises(NodeHeld):
            act(own_node, claim)
    take(own_node)
    with pytest.raises(NodeHeld, match="acts only for who holds its lease"):
        act(own_node, None)
    assert (own_node.spool / "due.log").exists()


@pytest.mark.fault(9)
def test_another_controller_is_refused(own_node: OwnNode) -> None:
    """It is told who holds the node, since when, for how long, and what to do."""
    take(own_node, "a")
    with pytest.raises(NodeHeld, match=r"held by agent@a \(controller a, run r1\), since 2.*Z, for \d+ s") as caught:
        take(own_node, "b")
    assert "maintainer node release pacs-a --why" in caught.value.hint
    assert holder(own_node)["controller"] == "a"


@pytest.mark.fault(8, 10)
def test_the_same_controllers_next_run_takes_over(own_node: OwnNode) -> None:
    """Its own run lock says that the earlier run is dead; if it is not, it is fenced all the same."""
    first = take(own_node, run="r1")
    second = take(own_node, run="r2")
    assert second["token"] == 2
    with pytest.raises(NodeHeld, match=r"fenced: a newer run holds this node: .*run r2"):
        act(own_node, first)
    for verb in ("renew", "release"):
        with pytest.raises(NodeHeld, match="fenced"):
            lease(own_node, verb, **first)
    with pytest.raises(NodeHeld, match="fenced"):
        act(own_node, {**second, "token": 1})
    assert act(own_node, second)["moved_files"] == 1


def test_tokens_only_grow(own_node: OwnNode) -> None:
    """Also over a release, and whoever takes it next."""
    tokens = []
    for controller in ("a", "b", "a"):
        claim = take(own_node, controller)
        tokens.append(claim["token"])
        lease(own_node, "release", **claim)
    assert tokens == [1, 2, 3]


def test_released_by_a_person(own_node: OwnNode) -> None:
    """Whoever held it is refused by the person's words; another controller may take it now."""
    stale = take(own_node, "a")
    answer = lease(own_node, "release-by-person", controller="b", who="jane@desk", why="its disk is dead")
    assert (answer["released"]["who"], answer["running"]) == ("agent@a", None)
    with pytest.raises(NodeHeld, match=r"fenced: jane@desk released this node's lease at .*: its disk is dead"):
        act(own_node, stale)
    newer = take(own_node, "b")
    with pytest.raises(NodeHeld, match="fenced: a newer run"):
        act(own_node, stale)
    assert act(own_node, newer)["moved_files"] == 1
    assert lease(own_node, "release-by-person", controller="c", who="jane@desk", why="x")["released"] is not None
    assert lease(own_node, "release-by-person", controller="c", who="jane@desk", why="x")["released"] is None


@pytest.mark.fault(9)
def test_of_many_at_once_one_gets_it(own_node: OwnNode) -> None:
    """Two controllers that ask in the same moment are one who has it and one who is refused."""
    got: list[str] = []
    refused: list[str] = []

    def ask(controller: str) -> None:
        try:
            take(own_node, controller)
            got.append(controller)
        except NodeHeld:
            refused.append(controller)

    threads = [threading.Thread(target=ask, args=(controller,)) for controller in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(got), len(refused)) == (1, 3)
    assert holder(own_node)["controller"] == got[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"format":"maintainer.lease/2"}',
        '{"format":"maintainer.lease/1","token":0,"holder":null,"released":null}',
        '{"format":"maintainer.lease/1","token":1,"holder":{},"released":null}',
    ],
)
def test_a_damaged_lease_lets_nobody_act(own_node: OwnNode, text: str) -> None:
    """Fail closed: neither taking nor acting works until a person has looked at it."""
    claim = take(own_node)
    (own_node.state / "lease.json").write_text(text)
    for ask in (lambda: take(own_node), lambda: act(own_node, claim)):
        with pytest.raises(ActionFailed, match=r"lease\.json") as caught:
            ask()
        assert "remove it" in caught.value.hint
    with pytest.raises(CouldNotLook, match=r"lease\.json"):
        holder(own_node)
    assert (own_node.spool / "due.log").exists()


def test_where_it_cannot_be_kept_nothing_is_done(own_node: OwnNode) -> None:
    """A state folder that is a file, or that others may write to, or a user without a home: a sentence each."""
    own_node.state.chmod(0o777)
    with pytest.raises(ActionFailed, match="is not ours alone"):
        take(own_node)
    own_node.state.rename(own_node.base / "away")
    own_node.state.touch()
    with pytest.raises(ActionFailed, match="cannot keep a lease"):
        take(own_node)
    own_node.state.unlink()
    assert take(own_node)["token"] == 1
    assert (own_node.state.stat().st_mode & 0o777) == 0o700


@pytest.mark.fault(24)
@needs_root
def test_on_a_full_disk_nothing_is_taken(own_node: OwnNode) -> None:
    """What cannot be written is not held; what was held before still is."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "tmpfs", str(own_node.state)], check=True)
    try:
        claim = take(own_node)
        with (own_node.state / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 512)
        with pytest.raises(ActionFailed, match="No space left") as caught:
            take(own_node, run="r2")
        assert "make room" in caught.value.hint
        assert act(own_node, claim)["moved_files"] == 1
    finally:
        subprocess.run(["umount", "-l", str(own_node.state)], check=True)


def test_looking_never_makes_or_changes_anything(own_node: OwnNode) -> None:
    """Neither who holds it nor how an operation stands writes a byte."""
    own_node.state.rmdir()
    assert holder(own_node) is None
    assert own_node.observe("operation", id="step-1")["state"] == "unknown-id"
    assert not own_node.state.exists()
    hold(own_node.state)
    before = {path: path.stat().st_mtime_ns for path in (own_node.state, *own_node.state.iterdir())}
    holder(own_node)
    own_node.observe("operation", id="step-1")
    assert {path: path.stat().st_mtime_ns for path in (own_node.state, *own_node.state.iterdir())} == before


def test_a_prepared_node_keeps_it_at_its_own_place(tmp_path: Path, zipapp: bytes) -> None:
    """Beside its policy, whatever home folder the request's user has."""
    node = prepare(tmp_path, zipapp)
    node.write(programs={"observe": ["holder"], "act": ["lease"]})
    asked = {"verb": "take", "controller": "c1", "run": "r2", "who": "agent@controller"}
    assert node.ask().act("lease", asked, TIME) == {"token": 2, "shown": None}
    assert json.loads((tmp_path / "state" / "lease.json").read_text())["holder"]["run"] == "r2"


def test_the_age_is_said_in_words_for_people() -> None:
    """In the largest unit of which there are two."""
    assert [rules._long(seconds) for seconds in (5, 119, 7199, 172800)] == ["5 s", "119 s", "119 min", "2 d"]
