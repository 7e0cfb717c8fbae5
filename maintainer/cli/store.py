"""`maintainer store …`: what the store check found, for the person who works through it."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from maintainer.cli import complete
from maintainer.cli.log_options import not_blank
from maintainer.cli.output import Card, emit, json_option, show_cards, show_table
from maintainer.cli.session import Session
from maintainer.errors import UsageError

if TYPE_CHECKING:
    from maintainer.running.store_findings import StoreFinding, Stores


@click.group()
def store() -> None:
    """Work through what the store check found: list, show, acknowledge."""


@store.command("list")
@click.option("--node", "-n", metavar="NAME", help="Only this node.", shell_complete=complete.nodes)
@json_option
@click.pass_obj
def list_(session: Session, *, node: str | None, as_json: bool) -> None:
    """List what the newest look at each store found, what nobody knows yet first. Asks the log, not the nodes."""
    seen = _stores(session, node)
    seen = seen.model_copy(update={"findings": tuple(one for one in seen.findings if one.open)})
    if as_json:
        emit(seen)
        return
    looks = [(one.node, _minute(one.looked_at) or "never", one.since_then) for one in seen.looks]
    show_table("Newest look at each store", ("node", "looked (UTC)", "what came since"), looks)
    order = {"critical": 0, "warning": 1, "info": 2}
    by_worst = sorted(seen.findings, key=lambda one: (bool(one.finding.acknowledged), order[one.finding.severity]))
    if by_worst:
        show_cards("Open findings", [_card(one) for one in by_worst])
        click.echo("`maintainer store show object-…` tells all about one, and how to find its file.")


@store.command()
@click.argument("pseudonym")
@json_option
@click.pass_obj
def show(session: Session, *, pseudonym: str, as_json: bool) -> None:
    """Show all that was ever found about the object PSEUDONYM, in every store, also what is repaired."""
    seen = _stores(session, None)
    about = tuple(one for one in seen.findings if one.finding.subject == pseudonym)
    if not about:
        hint = "copy the whole name from `maintainer store list`"
        raise UsageError(f"nothing was ever found about {pseudonym}", hint=hint)
    if as_json:
        emit(seen.model_copy(update={"findings": about}))
        return
    show_cards(f"All about {pseudonym}", [_whole(one) for one in about])
    click.echo(f"Which file it is, on this controller:  maintainer log reveal {pseudonym}")


@store.command()
@click.argument("pseudonym")
@click.option("--why", required=True, callback=not_blank, metavar="TEXT", help="What you know of it. Name no patients.")
@click.option("--who", default="", metavar="NAME", help="Who knows it, if not you. Your login is noted as well.")
@click.option("--node", "-n", metavar="NAME", help="Where, if on several nodes.", shell_complete=complete.nodes)
@click.option("--accept", is_flag=True, help="It is as it should be. Only in a plain tree of files, without an index.")
@json_option
@click.pass_obj
def ack(session: Session, *, pseudonym: str, why: str, who: str, node: str | None, accept: bool, as_json: bool) -> None:
    """Acknowledge what is found about the object PSEUDONYM: it is shown on, and changes no exit code any more.

    That holds for the causes that are found now, and until the object is read as good again. What is accepted is
    shown until the next night. If the object is then still what was found, that is what it should be from then on;
    else it is told again.
    """
    records = session.app.people.acknowledge(pseudonym, node, who.strip(), why, accept=accept)
    if as_json:
        written = [record.model_dump(mode="json", exclude_defaults=True) for record in records]
        emit({"format": "maintainer.log/1", "records": written})
        return
    for record in records:
        cause = record.finding.cause if record.finding else ""
        click.echo(f"{pseudonym} on {record.node} ({cause}) is acknowledged: record {record.seq}.")


def _stores(session: Session, node: str | None) -> "Stores":
    from maintainer.running.store_findings import TASK, stores  # noqa: PLC0415 (not needed for --help)

    app = session.app
    chosen = app.choose(window=None, nodes=(node,) if node else (), tasks=())
    with app.read_log() as log:
        return stores(log, [one for one in chosen if one.task == TASK])


def _card(one: "StoreFinding") -> Card:
    from maintainer.cli.plan_view import acknowledged_by  # noqa: PLC0415 (as above)

    finding = one.finding
    return Card(
        (finding.severity.value, one.node, finding.cause, finding.subject), (_times(one), acknowledged_by(finding))
    )


def _whole(one: "StoreFinding") -> Card:
    from maintainer.cli.plan_view import evidence_of  # noqa: PLC0415 (as above)

    card = _card(one)
    state = "" if one.open else "not told by the newest look"
    evidence = ", ".join(evidence_of(one.finding))
    return Card(card.head, (state, *card.body, evidence, f"→ {one.finding.advice}"))


def _times(one: "StoreFinding") -> str:
    good = f", last good {_minute(one.last_good)}" if one.last_good else ""
    return f"first told {_minute(one.first_told)}, last told {_minute(one.last_told)}{good}"


def _minute(moment: datetime | str) -> str:
    return str(moment)[:16].replace("T", " ")
