"""A node keeps what it was shown of each controller's log, takes nothing shorter, and forgets it for a person only."""

import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from maintainer.errors import ActionFailed, NodeHeld
from tests.contract.node.own_node import OwnNode, interpreters

TIME = timedelta(seconds=20)
ROOT, OTHER = "a" * 64, "b" * 64


def lease(node: OwnNode, verb: str, python: str = "", **fields: JsonValue) -> Any:
    program = node.program(python, lease=None) if python else node.program(lease=None)
    return program.act("lease", {"verb": verb, **fields}, TIME)


def take(node: OwnNode, controller: str = "own", python: str = "") -> tuple[dict[str, JsonValue], Any]:
    answer = lease(node, "take", python, controller=controller, run="r1", who="agent@a")
    return {"controller": controller, "run": "r1", "token": answer["token"]}, answer["shown"]


def show(node: OwnNode, size: int, root: str = ROOT, python: str = "") -> None:
    claim, _ = take(node, python=python)
    lease(node, "release", python, **claim, log={"size": size, "root": root})


@pytest.fixture
def own_node(own_node: OwnNode) -> OwnNode:
    """One that nobody has held yet."""
    (own_node.state / "lease.json").unlink()
    return own_node


@pytest.mark.parametrize("python", interpreters())
def test_who_takes_the_lease_is_told_what_it_showed(own_node: OwnNode, python: str) -> None:
    """On every Python of a node: nothing at first, then the last that was shown, also when it is the same again."""
    assert take(own_node, python=python)[1] is None
    for size, root in ((7, ROOT), (7, ROOT), (9, OTHER)):
        show(own_node, size, root, python)
        claim, shown = take(own_node, python=python)
        assert (shown["size"], shown["root"], shown["at"] > 0) == (size, root, True)
        lease(own_node, "release", python, **claim)


@pytest.mark.fault(47)
def test_nothing_shorter_is_taken(own_node: OwnNode) -> None:
    """It is refused, the longer one stays, and the lease with it."""
    show(own_node, 9)
    with pytest.raises(ActionFailed, match="was shown a log of 9 records, and now one of 8"):
        show(own_node, 8, OTHER)
    claim, shown = take(own_node)
    assert (shown["size"], shown["root"]) == (9, ROOT)
    lease(own_node, "renew", **claim)


def test_each_controller_has_its_own(own_node: OwnNode) -> None:
    """Of many, the latest are remembered."""
    for number in range(34):
        claim, shown = take(own_node, f"c{number}")
        assert shown is None
        lease(own_node, "release", **claim, log={"size": number + 1, "root": ROOT})
    kept = json.loads((own_node.state / "witness.json").read_text())["controllers"]
    assert len(kept) == 32
    assert kept["c33"]["size"] == 34


def test_only_the_holder_shows_a_log(own_node: OwnNode) -> None:
    """A run that was fenced leaves what it says of its log nowhere."""
    fenced, _ = take(own_node)
    take(own_node)
    with pytest.raises(NodeHeld, match="fenced"):
        lease(own_node, "release", **fenced, log={"size": 99, "root": ROOT})
    assert not (own_node.state / "witness.json").exists()


def test_a_person_lets_it_forget(own_node: OwnNode) -> None:
    """Of that person's controller alone, and only when asked for."""
    show(own_node, 9)
    lease(own_node, "release-by-person", controller="own", who="jane@desk", why="its disk is dead")
    assert take(own_node)[1]["size"] == 9
    for controller, left in (("other", 9), ("own", None)):
        lease(own_node, "release-by-person", controller=controller, who="jane@desk", why="a backup", forget=True)
        shown = take(own_node)[1]
        assert (shown and shown["size"]) == left


@pytest.mark.parametrize("log", [{}, {"size": 1}, {"size": -1, "root": ROOT}, {"size": 1, "root": "A" * 64}, 7, None])
def test_what_is_no_log_is_refused(own_node: OwnNode, log: JsonValue) -> None:
    """The lease is not given back by a request that is not understood."""
    claim, _ = take(own_node)
    with pytest.raises(ActionFailed):
        lease(own_node, "release", **claim, log=log)
    lease(own_node, "renew", **claim)


@pytest.mark.parametrize("text", ["", "{}", '{"format":"maintainer.witness/2","controllers":{}}', '{"controllers":7}'])
def test_a_damaged_memory_lets_nobody_act(own_node: OwnNode, text: str) -> None:
    """Whether the log was cut cannot be told; the sentence names the file, and nobody has taken the lease."""
    show(own_node, 9)
    (own_node.state / "witness.json").write_text(text)
    with pytest.raises(ActionFailed, match=r"witness\.json"):
        take(own_node)
    assert own_node.observe("holder")["holder"] is None
