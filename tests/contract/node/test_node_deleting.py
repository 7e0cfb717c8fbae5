"""An archive that deletes many objects while they are verified, and a store that was lost: told apart by the index."""

import pytest

from tests.contract.node.ledger_nights import look, put, read, row
from tests.contract.node.own_node import OwnNode

COUNT = 60


@pytest.fixture
def node(own_node: OwnNode) -> OwnNode:
    """A node whose ledger knows of sixty objects, of which thirty are gone from the disk."""
    rows = []
    for number in range(COUNT):
        put(own_node, number)
        rows.append(row(number))
    own_node.act("store-learn", night="n", after=0, through=COUNT, objects=rows, lost_share=0.5)
    for number in range(0, COUNT, 2):
        (own_node.store / "aa" / str(number)).unlink()
    return own_node


def settle(node: OwnNode, gone: list[int], *, explained: bool) -> None:
    node.act("store-settle", confirmed=[], gone=gone, strays=[], known=[], explained=explained)


@pytest.mark.fault(39)
def test_what_the_archive_deleted_surprises_once(node: OwnNode) -> None:
    """The reading stops and says what it missed; once the index says that it is no object, all else is read."""
    answer = read(node)
    assert answer["stopped"] == "surprises"
    missing = sorted(answer["missing"])
    assert missing == sorted([number + 1, f"aa/{number}"] for number in range(0, COUNT, 2))
    assert look(node)["ledger"]["lost"].startswith("surprises")
    settle(node, [key for key, _ in missing], explained=True)
    assert look(node)["ledger"]["lost"] == ""
    again = read(node)
    assert (again["stopped"], again["objects"], "missing" in again) == ("nothing-left", COUNT // 2, False)


@pytest.mark.fault(40)
def test_what_the_index_still_lists_stays_a_lost_store(node: OwnNode) -> None:
    """A few that were deleted explain nothing: the rest surprises again, and no object is blamed."""
    read(node)
    settle(node, [1], explained=False)
    assert look(node)["ledger"]["lost"].startswith("surprises")
    answer = read(node)
    assert (answer["stopped"], len(answer["missing"])) == ("surprises", COUNT // 2 - 1)
    assert look(node)["ledger"]["deviations"] == []
