"""Which nodes are worked on side by side: everything once, and never two members of a group."""

import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from maintainer.model.inventory import Group
from maintainer.planning.order import lanes


def test_members_of_a_group_share_a_lane() -> None:
    """The longest lane comes first, and inside it the order is the given one."""
    groups = {"main": Group(members=("b", "d")), "spare": Group(members=("x", "y"))}
    assert lanes(["a", "b", "c", "d"], groups) == (("b", "d"), ("a",), ("c",))


def test_a_node_in_two_groups_joins_their_lanes() -> None:
    """However the groups overlap, partners never stand in different lanes."""
    groups = {"one": Group(members=("a", "b")), "two": Group(members=("b", "c"))}
    assert lanes(["c", "a", "b"], groups) == (("c", "a", "b"),)


def test_a_node_named_twice_is_worked_once() -> None:
    """`--node a --node a` is one node."""
    assert lanes(["a", "b", "a"], {}) == (("a",), ("b",))


def test_no_nodes_make_no_lanes() -> None:
    """An empty selection is not an error here."""
    assert lanes([], {"pair": Group(members=("a", "b"))}) == ()


NODES = [f"n{number}" for number in range(12)]
members = st.lists(st.sampled_from(NODES), min_size=2, max_size=4, unique=True).map(tuple)
fleets = st.dictionaries(st.sampled_from(["p", "q", "r", "s"]), members.map(lambda names: Group(members=names)))
chosen = st.lists(st.sampled_from(NODES), unique=True)


class Floor:
    """Where the workers are: notices, at every arrival, whether two members of a group are worked on at once."""

    def __init__(self, groups: Mapping[str, Group], breaths: Mapping[str, int]) -> None:
        self.groups, self.breaths = groups, breaths
        self.lock = threading.Lock()
        self.active: set[str] = set()
        self.worked: Counter[str] = Counter()
        self.broken: list[str] = []

    def work(self, lane: tuple[str, ...]) -> None:
        for node in lane:
            self.arrive(node)
            for _ in range(self.breaths.get(node, 0)):  # lets the other threads run, so that they can collide
                threading.Event().wait(0.0001)
            with self.lock:
                self.active.discard(node)

    def arrive(self, node: str) -> None:
        with self.lock:
            self.active.add(node)
            self.worked[node] += 1
            self.broken += [name for name, group in self.groups.items() if len(self.active & set(group.members)) > 1]


@settings(max_examples=60, deadline=None)
@given(chosen, fleets, st.integers(1, 8), st.dictionaries(st.sampled_from(NODES), st.integers(0, 5)))
def test_two_members_of_a_group_are_never_worked_on_at_once(
    nodes: list[str], groups: dict[str, Group], workers: int, breaths: dict[str, int]
) -> None:
    """Any fleet, any number of workers, any timing: the floor sees each node once and no two partners together."""
    floor = Floor(groups, breaths)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(floor.work, lanes(nodes, groups)))
    assert floor.worked == Counter(nodes)
    assert floor.broken == []


@given(chosen, fleets)
def test_nodes_that_may_be_worked_on_side_by_side_are(nodes: list[str], groups: dict[str, Group]) -> None:
    """Only nodes that are partners, directly or by way of others in the selection, wait for each other."""
    for lane in lanes(nodes, groups):
        reached = {lane[0]}
        for _ in lane:
            touched = (set(g.members) for g in groups.values() if reached & set(g.members))
            reached |= set().union(*touched) & set(lane)
        assert reached == set(lane)
