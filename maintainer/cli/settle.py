"""`maintainer settle`: a person's word on a step whose ending no look can tell."""

from typing import Literal

import click

from maintainer.cli.log_options import not_blank
from maintainer.cli.output import emit, json_option
from maintainer.cli.session import Session


@click.command()
@click.argument("step")
@click.option(
    "--as", "ending", type=click.Choice(["done", "failed"]), required=True, help="How it ended, as you found it."
)
@click.option("--why", required=True, callback=not_blank, metavar="TEXT", help="How you know. Name no patients.")
@json_option
@click.pass_obj
def settle(session: Session, *, step: str, ending: Literal["done", "failed"], why: str, as_json: bool) -> None:
    """Say how STEP ended, where the agent cannot find out; until then it keeps off the node.

    `maintainer status` lists the steps that wait for a person. Your name goes into the log with it.
    """
    record = session.app.people.settle(step, ending, why)
    if as_json:
        emit({"format": "maintainer.log/1", "records": [record.model_dump(mode="json", exclude_defaults=True)]})
    else:
        click.echo(f"{step} ({record.subject} on {record.node}) is settled as {ending}, in record {record.seq}.")
