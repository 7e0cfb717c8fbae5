"""What a prepared node's own policy file allows, derived from the inventory of the day on which it was prepared."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

from pydantic import JsonValue

from maintainer.model.installation import POLICY_FORMAT
from maintainer.model.inventory import Node
from maintainer.model.window import Window
from maintainer.planning.policy import policy_of

_NEEDS: tuple[tuple[str, Callable[[Node], object]], ...] = (
    ("restart", lambda node: node.services),
    ("services", lambda node: node.services),
    ("cleanup", lambda node: node.cleanup),
    ("quarantine", lambda node: node.cleanup),
    ("expire", lambda node: node.cleanup),
    ("store-", lambda node: node.store),
    ("reboot", lambda node: node.reboot),
)
"""Beginning of a program's name → what the node must have for it to be of any use."""
_LOOKING = dt.timedelta(minutes=15)
_LONGEST = dt.timedelta(days=1)


def installed_policy(
    node: Node, not_objects: Sequence[str], programs: Mapping[str, Sequence[str]], windows: Iterable[Window]
) -> dict[str, JsonValue]:
    """Write the policy file.

    `programs`: those that the node's program brings, by verb. `windows`: in which something is done on this node; no
    request may run for longer than the longest of them.
    """
    allowed: dict[str, JsonValue] = {
        verb: [name for name in sorted(names) if _is_needed(name, node)] for verb, names in programs.items()
    }
    longest = max((_LOOKING, *map(_length, windows)))
    return {
        "format": POLICY_FORMAT,
        "longest_seconds": int(longest.total_seconds()),
        "programs": allowed,
        **policy_of(node, not_objects),
    }


def _is_needed(program: str, node: Node) -> bool:
    return all(needs(node) for start, needs in _NEEDS if program.startswith(start))


def _length(window: Window) -> dt.timedelta:
    """How long it is open at most: an hour more than the clock says where clocks are set back."""
    day = dt.date(2001, 1, 1)
    opens, closes = dt.datetime.combine(day, window.opens), dt.datetime.combine(day, window.closes)
    return (
        min(_LONGEST, (closes - opens) % dt.timedelta(days=1) + dt.timedelta(hours=1)) if closes != opens else _LONGEST
    )
