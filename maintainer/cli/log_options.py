"""The options by which records are chosen, for every command that reads the log."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from maintainer.cli import complete

Command = TypeVar("Command", bound=Callable[..., Any])

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


def not_blank(_ctx: click.Context, _option: click.Parameter, text: str) -> str:
    """Check an option's text: a record that says nothing helps nobody."""
    if not text.strip():
        raise click.BadParameter("it is blank")
    return text.strip()


def filter_options(command: Command) -> Command:
    for option in (
        click.option("--until", type=MOMENT, help="UTC; before this moment."),
        click.option("--since", type=MOMENT, help="UTC; this moment or later."),
        click.option("--run", metavar="ID", help="Only the records of this run."),
        click.option("--ending", type=click.Choice(["done", "failed", "unknown", "not-run"])),
        click.option("--kind", metavar="KIND", help="run-opened, decided, intent, outcome, finding, note, …"),
        click.option("--task", "-t", metavar="NAME", shell_complete=complete.tasks),
        click.option("--node", "-n", metavar="NAME", shell_complete=complete.nodes),
    ):
        command = option(command)
    return command
