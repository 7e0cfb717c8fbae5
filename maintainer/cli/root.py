"""The `maintainer` command: what every subcommand shares, and how errors end the program."""

import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from maintainer import __version__
from maintainer.cli.output import emit
from maintainer.cli.session import Session
from maintainer.cli.streams import open_all
from maintainer.errors import Exit, InventoryError, MaintainerError

COMMANDS = {
    "check": ("check", "Validate the inventory and see whether every node can be looked at."),
    "plan": ("plan", "Dry run: look at the nodes and show what a run would do now."),
    "run": ("run", "Do what is due, inside its window, and write it to the intervention log."),
    "status": ("status", "Show the last run, what was found, and what waits for a person."),
    "agent": ("agent", "Stay in the foreground and run each window once when it opens."),
    "calendar": ("calendar", "Show when the windows open, and why they do not."),
    "log": ("log", "Read, verify and export the intervention log; tell it of a person's work, add a note."),
    "node": ("node", "Print how a node is set up to run its own program; release one that a dead run holds."),
    "settle": ("settle", "Say how a step ended that the agent cannot find out."),
    "store": ("store", "Work through what the store check found: list, show, acknowledge."),
    "group": ("group", "Show the groups; let a frozen one be worked on again."),
    "practice": ("practice", "A small real PACS on this machine, to try things on."),
    "schema": ("schema", "Print the JSON Schema of the inventory, for editors."),
}
"""Command → module of this package and its one line of help, so that `--help` imports none of them."""


class LazyGroup(click.Group):
    """Imports a command's module only when that command is used: `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"maintainer.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            return _unread(error)  # here, because click would end the program with 1

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's signature)
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--inventory",
    "-i",
    type=click.Path(path_type=Path),
    envvar="MAINTAINER_INVENTORY",
    help="The inventory. Default: ./inventory.toml, else /etc/maintainer/inventory.toml.",
)
@click.option("--verbose", "-v", is_flag=True, help="Tell on stderr what is being done.")
@click.option(
    "--log-format", type=click.Choice(["console", "json"]), default="console", help="Form of what goes to stderr."
)
@click.version_option(__version__, prog_name="maintainer")
@click.pass_context
def cli(ctx: click.Context, inventory: Path | None, *, verbose: bool, log_format: str) -> None:
    """Looks after PACS nodes at night: restarts, PostgreSQL, disks, DICOM stores.

    Exit codes: 0 fine, 1 findings or a failed step, 2 usage or inventory, 3 something is unknown, 4 refused,
    70 a bug, 74 the intervention log, 75 busy, 130 interrupted.
    """
    ctx.obj = Session(inventory=inventory, verbose=verbose, log_format=log_format)


def start(arguments: list[str] | None = None) -> int:
    """Run the command line; answers the exit code. Nothing foreseen ends in a traceback."""
    open_all()
    try:
        result: Any = cli.main(args=arguments, prog_name="maintainer", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (the last place that can turn an error into a sentence)
        return _exit_of(error, as_json="--json" in (sys.argv[1:] if arguments is None else arguments))
    return result if isinstance(result, int) else Exit.FINE


def _exit_of(error: BaseException, *, as_json: bool) -> int:
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            error.show()
            return Exit.USAGE
        case MaintainerError():
            return _sorry(error, as_json=as_json)
        case KeyboardInterrupt() | click.Abort():
            click.echo("interrupted", err=True)
            return Exit.INTERRUPTED
        case OSError(errno=errno.ENOSPC | errno.EDQUOT, filename=None):
            return _unread(error)
    from maintainer.cli.logging import places  # noqa: PLC0415 (structlog is not needed for --help)

    click.echo("\n".join(places(error)), err=True)
    click.echo("maintainer: this is a mistake of the program; please report it with the lines above", err=True)
    return Exit.BUG


def _unread(error: OSError) -> int:
    """End when stdout takes no more: without a complaint where its reader has gone (`maintainer log list | head`)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        return Exit.FINE
    click.echo(f"stdout: {error.strerror}\n  → make room where the output goes, and ask again", err=True)
    return Exit.TROUBLE


def _sorry(error: MaintainerError, *, as_json: bool) -> int:
    """Say on stderr what is wrong; a program that asked for JSON gets its one document all the same."""
    click.echo(str(error), err=True)
    if as_json:
        problems = list(error.problems) if isinstance(error, InventoryError) else [error.what]
        emit(
            {
                "format": "maintainer.error/1",
                "exit": error.exit,
                "where": error.where,
                "problems": problems,
                "hint": error.hint,
            }
        )
    return error.exit
