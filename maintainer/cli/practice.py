"""`maintainer practice`: a small real PACS on this machine, to try things on."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from maintainer.cli.output import emit, json_option, show_table
from maintainer.errors import Exit
from maintainer.practice.faults import FAULTS
from maintainer.practice.layout import DEFAULT_FOLDER, FORMAT, Ports
from maintainer.practice.pacs import Part, PracticePacs

Command = TypeVar("Command", bound=Callable[..., Any])
PORT = click.IntRange(1024, 65535)


def folder_option(command: Command) -> Command:
    return click.option(
        "--folder",
        type=click.Path(path_type=Path, readable=False),  # whose it is, is said with a hint further down
        default=DEFAULT_FOLDER,
        show_default=True,
        help="Where the practice PACS is.",
    )(command)


@click.group()
def practice() -> None:
    """A small real PACS on this machine: PostgreSQL, an SSH server, a DICOM archive with images; all on loopback."""


@practice.command()
@folder_option
@click.option("--fresh", is_flag=True, help="Remove what is in the folder and make everything anew.")
@click.option("--ssh-port", type=PORT, help=f"Default: {Ports().ssh}.")
@click.option("--database-port", type=PORT, help=f"Default: {Ports().database}.")
@click.option("--dicom-port", type=PORT, help=f"Default: {Ports().dicom}.")
@json_option
def up(folder: Path, *, fresh: bool, as_json: bool, **ports: int | None) -> None:
    """Make the practice PACS, or start what of it does not run. Faults that were planted stay."""
    pacs = PracticePacs(folder, _chosen(ports))
    _show(pacs, pacs.up(fresh=fresh), as_json=as_json)
    if not as_json:
        click.echo(f"Its inventory: {pacs.layout.inventory}")
        click.echo(f"Look at it: maintainer --inventory {pacs.layout.inventory} plan")
        click.echo(f"Stop it: maintainer practice down{_folder_argument(pacs)}")


@practice.command()
@folder_option
@click.option("--wipe", is_flag=True, help="Remove the folder too, with the intervention log in it.")
@json_option
def down(folder: Path, *, wipe: bool, as_json: bool) -> None:
    """Stop the practice PACS, and no process that is not of it."""
    pacs = PracticePacs(folder)
    parts = pacs.down(wipe=wipe)
    if wipe and not as_json:
        click.echo(f"Nothing is left in {pacs.layout.folder}.")
    else:
        _show(pacs, parts, as_json=as_json)


@practice.command()
@folder_option
@json_option
def status(folder: Path, *, as_json: bool) -> int:
    """Show the servers of the practice PACS. Exit code: 0 when all run, else 1."""
    pacs = PracticePacs(folder)
    parts = pacs.status()
    _show(pacs, parts, as_json=as_json)
    return Exit.FINE if parts and all(part.state == "running" for part in parts) else Exit.TROUBLE


@practice.command(name="break")
@click.argument("fault", type=click.Choice([*FAULTS, "all"]))
@folder_option
@json_option
def break_(fault: str, folder: Path, *, as_json: bool) -> None:
    """Plant a known fault, or `all`, for a plan to find."""
    planted = PracticePacs(folder).break_(fault)
    if as_json:
        emit({"format": FORMAT, "planted": [asdict(one) for one in planted]})
        return
    show_table("Planted", ("fault", "what", "where"), [(one.name, one.what, one.where) for one in planted])


def _chosen(ports: dict[str, int | None]) -> Ports | None:
    given = {name.removesuffix("_port"): port for name, port in ports.items() if port is not None}
    return Ports(**given) if given else None


def _folder_argument(pacs: PracticePacs) -> str:
    folder = pacs.layout.folder
    return "" if folder == DEFAULT_FOLDER else f" --folder {folder}"


def _show(pacs: PracticePacs, parts: tuple[Part, ...], *, as_json: bool) -> None:
    if as_json:
        folder, inventory = str(pacs.layout.folder), str(pacs.layout.inventory)
        emit({"format": FORMAT, "folder": folder, "inventory": inventory, "parts": [asdict(part) for part in parts]})
    elif parts:
        rows = [(part.name, part.state, str(part.port), str(part.pid or "")) for part in parts]
        show_table(f"Practice PACS in {pacs.layout.folder}", ("part", "state", "port", "pid"), rows)
    else:
        click.echo(f"There is no practice PACS in {pacs.layout.folder}.")
