"""What the shell offers when a name of the inventory is to be typed; click does the rest.

In ~/.bashrc: eval "$(_MAINTAINER_COMPLETE=bash_source maintainer)"
"""

import contextlib
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from maintainer.cli.session import Session

_AT_MOST = 256 * 1024


Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _names(table: str) -> Offer:
    """Offer the names of one table. An inventory that is missing or wrong offers none: `check` says what is wrong."""

    def offer(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = _inventory(ctx).get(table)
        names = sorted(map(str, found)) if isinstance(found, dict) else ()
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    return offer


def _inventory(ctx: click.Context) -> Mapping[str, Any]:
    path = Session(inventory=ctx.find_root().params.get("inventory")).inventory_path
    with contextlib.suppress(OSError, ValueError, RecursionError), path.open("rb") as file:
        return tomllib.loads(file.read(_AT_MOST).decode())
    return {}


nodes, tasks, windows, groups = map(_names, ("nodes", "tasks", "windows", "groups"))
