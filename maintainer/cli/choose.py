"""The options by which `plan` and `run` are limited to a part of the inventory."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def choice_options(command: Command) -> Command:
    for option in (
        click.option("--now", is_flag=True, help="The tasks named with --task are due, whatever their age."),
        click.option("--task", "-t", multiple=True, metavar="NAME", help="Only this task; may be repeated."),
        click.option("--node", "-n", multiple=True, metavar="NAME", help="Only this node; may be repeated."),
        click.option("--window", "-w", metavar="NAME", help="Only the tasks of this window."),
    ):
        command = option(command)
    return command
