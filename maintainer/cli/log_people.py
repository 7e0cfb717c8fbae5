"""`maintainer log open` and `maintainer log close`: people at work on a node."""

import datetime as dt
from typing import TYPE_CHECKING, Literal

import click

from maintainer.cli import complete
from maintainer.cli.log_options import not_blank
from maintainer.cli.output import emit, json_option
from maintainer.cli.session import Session

if TYPE_CHECKING:
    from maintainer.running.visits import Visit

UNTIL = click.DateTime(["%Y-%m-%dT%H:%M"])


@click.command("open")
@click.argument("node", shell_complete=complete.nodes)
@click.option("--who", required=True, callback=not_blank, metavar="NAME", help="Who is at work.")
@click.option("--company", required=True, callback=not_blank, metavar="NAME", help="Whom they work for.")
@click.option("--on-site", "place", flag_value="on-site", help="They are at the machine.")
@click.option("--remote", "place", flag_value="remote", help="They work over a remote connection.")
@click.option(
    "--scope", required=True, callback=not_blank, metavar="TEXT", help="What they are going to do. Name no patients."
)
@click.option(
    "--until",
    type=UNTIL,
    required=True,
    metavar="TIME",
    help="When it will be over: 2026-12-01T18:00, site's local time.",
)
@json_option
@click.pass_obj
def open_(
    session: Session,
    *,
    node: str,
    who: str,
    company: str,
    place: Literal["on-site", "remote"] | None,
    scope: str,
    until: dt.datetime,
    as_json: bool,
) -> None:
    """Say that a person works on NODE: the agent keeps off.

    Its partner is left in service. The node is looked at, so that closing can say what is different. Nothing closes an
    intervention but `log close`.
    """
    from maintainer.running.visits import announced  # noqa: PLC0415 (not needed for --help)

    if place is None:
        raise click.UsageError("say where the work is done: --on-site or --remote")
    app = session.app
    work = announced(who, company, place, scope, until=until, site=app.inventory.site)
    visit = app.people.open_intervention(node, work)
    if as_json:
        emit(visit)
        return
    click.echo(
        f"Intervention {visit.id} is open: the agent keeps off {node} until it is closed"
        f" (expected until {work.ends:%Y-%m-%d %H:%M} UTC)."
    )
    _say_not_looked(visit)
    click.echo(f"When the work is over:  maintainer log close {node}")


@click.command("close")
@click.argument("node", shell_complete=complete.nodes)
@click.option("--id", "number", type=click.IntRange(min=1), metavar="N", help="Which one, when several are open there.")
@click.option("--note", default="", metavar="TEXT", help="What was done. Name no patients.")
@json_option
@click.pass_obj
def close(session: Session, *, node: str, number: int | None, note: str, as_json: bool) -> None:
    """Say that the work on NODE is over; show what changed."""
    visit = session.app.people.close_intervention(node, number, note)
    if as_json:
        emit(visit)
        return
    click.echo(f"Intervention {visit.id} on {node} is closed: {_told(visit)}.")
    _say_not_looked(visit)


def _told(visit: "Visit") -> str:
    if visit.changes is None:
        return "not compared with how it was before"
    return ", ".join(visit.changes) or "nothing that is looked at is different"


def _say_not_looked(visit: "Visit") -> None:
    if visit.not_looked:
        click.echo(f"The node was not looked at or not compared: {visit.not_looked}", err=True)
