"""Which nodes may be worked on at the same time."""

from collections.abc import Mapping, Sequence

from maintainer.model.inventory import Group


def lanes(nodes: Sequence[str], groups: Mapping[str, Group]) -> tuple[tuple[str, ...], ...]:
    """Divide the nodes into lanes: those in one lane are worked on one after the other, lanes side by side.

    Members of a group share a lane, so no two of them are ever worked on at once, however many workers there are. The
    longest lanes come first, so that a group does not start when all others have ended; else the given order holds.

    >>> lanes(["a", "b", "c"], {"pair": Group(members=("a", "c"))})
    (('a', 'c'), ('b',))
    """
    found: list[list[str]] = []
    for node in dict.fromkeys(nodes):
        shared = [lane for lane in found if any(_are_partners(node, other, groups) for other in lane)]
        found = [lane for lane in found if lane not in shared]
        found.append([*(other for lane in shared for other in lane), node])
    place = {node: number for number, node in enumerate(dict.fromkeys(nodes))}
    ordered = (tuple(sorted(lane, key=place.__getitem__)) for lane in found)
    return tuple(sorted(ordered, key=lambda lane: (-len(lane), place[lane[0]])))


def _are_partners(one: str, other: str, groups: Mapping[str, Group]) -> bool:
    return any(one in group.members and other in group.members for group in groups.values())
