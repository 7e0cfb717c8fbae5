"""The options by which `plan` and `run` are limited to a part of the inventory."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from maintainer.cli import complete

Command = TypeVar("Command", bound=Callable[..., Any])


def _named(
    name: str, short: str, offer: complete.Offer, about: str, *, multiple: bool = False
) -> Callable[[Command], Command]:
    return click.option(name, short, multiple=multiple, metavar="NAME", help=about, shell_complete=offer)


def choice_options(command: Command) -> Command:
    for option in (
        click.option("--now", is_flag=True, help="The tasks named with --task are due, whatever their age."),
        _named("--task", "-t", complete.tasks, "Only this task; may be repeated.", multiple=True),
        _named("--node", "-n", complete.nodes, "Only this node; may be repeated.", multiple=True),
        _named("--window", "-w", complete.windows, "Only the tasks of this window."),
    ):
        command = option(command)
    return command
