"""Much that deviates in one place of a large store is told object by object; all over the store, nobody believes it."""

import pytest

from tests.contract.node.ledger_nights import deviations, learn, look, put, read, row
from tests.contract.node.own_node import OwnNode

COUNT, DAMAGED = 3000, 20


@pytest.fixture
def node(own_node: OwnNode) -> OwnNode:
    """A node with a store of many small files, all of which were read once."""
    for number in range(COUNT):
        put(own_node, number, b"as it was")
    row_of_any = row(0, size=9, digest=None, kind="other")
    rows = [[number + 1, f"aa/{number}", *row_of_any[2:]] for number in range(COUNT)]
    learn(own_node, *rows, through=COUNT)
    assert read(own_node)["objects"] == COUNT
    return own_node


@pytest.mark.fault(38)
def test_a_damaged_part_of_a_disk_is_told_object_by_object(node: OwnNode) -> None:
    """Of what was read first it is much more than 1 %, and of all it is less: the rest is read, and each is named."""
    damaged = range(100, 100 + DAMAGED)
    for number in damaged:
        put(node, number, b"otherwise")
    answer = read(node, rate=60_000)
    assert (answer["stopped"], answer["objects"]) == ("nothing-left", COUNT)
    assert look(node)["ledger"]["lost"] == ""
    assert deviations(node) == {f"aa/{number}": "modified" for number in damaged}


@pytest.mark.fault(40)
def test_damage_all_over_the_store_is_not_believed(node: OwnNode) -> None:
    """Every twentieth file is gone, wherever one looks."""
    for number in range(0, COUNT, 20):
        (node.store / "aa" / str(number)).unlink()
    answer = read(node, rate=60_000)
    assert answer["stopped"] == "surprises"
    assert answer["objects"] < COUNT
    assert deviations(node) == {}
