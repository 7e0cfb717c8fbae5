"""`maintainer group …`: nodes that stand in for each other, and whether they may be worked on."""

from typing import Any

import click

from maintainer.cli import complete
from maintainer.cli.log_options import not_blank
from maintainer.cli.output import emit, json_option, show_table
from maintainer.cli.session import Session


@click.group()
def group() -> None:
    """Show the groups; let a frozen one be worked on again."""


@group.command("list")
@json_option
@click.pass_obj
def list_(session: Session, *, as_json: bool) -> None:
    """List the groups, their members and since when and why one is frozen. Asks the log, not the nodes."""
    with session.app.read_log() as log:
        frozen = {record.subject: record for record in log.open_ends().frozen}
    known = session.app.inventory.groups
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys((*known, *frozen)):
        record = frozen.get(name)
        members = list(known[name].members) if name in known else []
        since, why = (record.time, record.text) if record else ("", "")
        rows.append({"group": name, "members": members, "frozen": bool(record), "since": since, "why": why})
    if as_json:
        emit({"format": "maintainer.groups/1", "groups": rows})
        return
    cells = [
        (r["group"], ", ".join(r["members"]), "frozen" if r["frozen"] else "", r["since"][:16], r["why"]) for r in rows
    ]
    show_table("Groups", ("group", "members", "state", "since (UTC)", "why"), cells)


@group.command()
@click.argument("name", shell_complete=complete.groups)
@click.option(
    "--why", required=True, callback=not_blank, metavar="TEXT", help="What you saw and did. Name no patients."
)
@json_option
@click.pass_obj
def thaw(session: Session, *, name: str, why: str, as_json: bool) -> None:
    """Let the members of the frozen group NAME be worked on again. See first that images come from each of them."""
    record = session.app.people.thaw(name, why)
    if as_json:
        emit({"format": "maintainer.log/1", "records": [record.model_dump(mode="json", exclude_defaults=True)]})
    else:
        click.echo(f"The group {name} may be worked on again: record {record.seq}.")
