"""`maintainer node …`: the node's own side: set up by its own administrators, released by a person."""

import hashlib
import sys
from pathlib import Path

import click

from maintainer.cli import complete
from maintainer.cli.output import emit, json_option
from maintainer.cli.session import Session
from maintainer.errors import UsageError


@click.group()
def node() -> None:
    """Set up nodes that run their own program by their own policy, and release what a dead run holds."""


@node.command()
@click.argument("name", shell_complete=complete.nodes)
@click.option("--undo", is_flag=True, help="Print the script that takes it back.")
@click.option(
    "--public-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The controller's public key. Default: that of the key which the inventory names.",
)
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="ADDRESS",
    help="Where the controller comes from: address, network or host name; may be repeated. Default: the address of "
    "this machine toward the node.",
)
@json_option
@click.pass_obj
def prepare(
    session: Session, name: str, *, undo: bool, public_key: Path | None, sources: tuple[str, ...], as_json: bool
) -> None:
    """Print a shell script that prepares a node, to be read and then run there as root. Changes nothing."""
    made = session.app.preparation(name, public_key, sources)
    if as_json:
        emit(
            {
                "format": "maintainer.node-preparation/1",
                "node": name,
                "from": list(made.sources),
                "program_sha256": made.sha256,
                "policy": made.policy,
                "script": made.set_up(),
                "undo": made.undoing(),
            }
        )
        return
    if not sources and not undo:
        click.echo(f"# taking {made.sources[0]} for the controller's address; --from says otherwise", err=True)
    click.echo(made.undoing() if undo else made.set_up())


@node.command()
@click.argument("name", shell_complete=complete.nodes)
@click.option("--why", required=True, metavar="TEXT", help="Why it may be: for the log, and for whoever held the node.")
@click.option("--cancel", is_flag=True, help="End the operation that still runs there, too.")
@click.option("--accept-log", is_flag=True, help="This log is right, though the node was shown another.")
@json_option
@click.pass_obj
def release(session: Session, name: str, *, why: str, cancel: bool, accept_log: bool, as_json: bool) -> None:
    """Take a node's lease from a run that is surely over. If that run still lives, it is refused from then on."""
    released = session.app.people.release(name, why, cancel=cancel, accept_log=accept_log)
    if as_json:
        emit({"format": "maintainer.node-release/1", "node": name, **released.model_dump(mode="json")})
        return
    held = released.before
    click.echo(
        f"{name}: released; it was held by {held['who']} since {held['since']}" if held else f"{name}: nobody held it"
    )
    if released.running:
        ending = (
            "was ended"
            if released.cancelled
            else "still runs there, until its deadline at the latest (--cancel ends it)"
        )
        click.echo(f"{name}: the operation {released.running} {ending}")


@node.command()
@json_option
@click.pass_obj
def program(session: Session, *, as_json: bool) -> None:
    """Write the program of prepared nodes to stdout: maintainer node program > node.pyz."""
    raw = session.app.node_program()
    if as_json:
        digest = hashlib.sha256(raw).hexdigest()
        emit({"format": "maintainer.node-program/1", "sha256": digest, "bytes": len(raw)})
        return
    if sys.stdout.isatty():
        raise UsageError("this is a program, not text", hint="maintainer node program > node.pyz")
    sys.stdout.buffer.write(raw)
