"""In which order the services of a node start and stop: what a service needs starts before it and stops after it."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

After = Mapping[str, Sequence[str]]
"""A service → those that it needs, in the order in which they were declared."""


def in_order(after: After) -> tuple[str, ...]:
    """Order services for starting; those that need nothing keep the order in which they were declared.

    >>> in_order({"archive": ("database",), "database": (), "viewer": ()})
    ('database', 'viewer', 'archive')
    """
    return tuple(
        TopologicalSorter({name: [n for n in needed if n in after] for name, needed in after.items()}).static_order()
    )


def cycle(after: After) -> tuple[str, ...]:
    """Find services that need each other in a circle; the first is named again at the end.

    >>> cycle({"a": ("b",), "b": ("a",)})
    ('a', 'b', 'a')
    """
    try:
        in_order(after)
    except CycleError as error:
        found: list[str] = error.args[1]
        return tuple(found)
    return ()


def dependents(after: After, name: str) -> frozenset[str]:
    """Find every service that needs this one, directly or through others.

    >>> sorted(dependents({"database": (), "archive": ("database",), "web": ("archive",)}, "database"))
    ['archive', 'web']
    """
    found: set[str] = set()
    for other in in_order(after):
        if found & set(after[other]) or name in after[other]:
            found.add(other)
    return frozenset(found)


def components(after: After) -> tuple[tuple[str, ...], ...]:
    """Divide services into those that have to do with each other, each in starting order.

    >>> components({"archive": ("database",), "viewer": (), "database": ()})
    (('database', 'archive'), ('viewer',))
    """
    found: list[set[str]] = []
    for name in after:
        joined = {name, *(needed for needed in after[name] if needed in after)}
        touching = [one for one in found if one & joined]
        found = [one for one in found if one not in touching]
        found.append(joined.union(*touching))
    ordered = [tuple(name for name in in_order(after) if name in one) for one in found]
    place = {name: number for number, name in enumerate(after)}
    return tuple(sorted(ordered, key=lambda one: min(place[name] for name in one)))
