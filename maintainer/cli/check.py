"""`maintainer check`."""

from functools import partial

import click

from maintainer.cli.output import emit, json_option, show_table
from maintainer.cli.session import Session
from maintainer.errors import Exit
from maintainer.model.values import counted


@click.command()
@click.option("--offline", is_flag=True, help="Validate the inventory only; ask no node.")
@json_option
@click.pass_obj
def check(session: Session, *, offline: bool, as_json: bool) -> int:
    """Validate the inventory, then see whether every node can be reached and looked at. Changes nothing.

    Exit code: 0 all well, or warnings only; 1 something is wrong on a node; 2 the inventory is wrong; 3 a node could
    not be looked at.
    """
    app = session.app
    with app.stop.on_signals(partial(click.echo, err=True), looking_only=True):
        rows = () if offline else app.check()
    verdicts = {row.verdict for row in rows}
    if as_json:
        tasks = [{"node": one.node, "task": one.task, "window": one.params.window} for one in app.loaded.assignments]
        emit({"format": "maintainer.check/1", "inventory": app.loaded.path, "tasks": tasks, "nodes": list(rows)})
    else:
        inventory = app.inventory
        click.echo(
            f"{app.loaded.path}: valid; {counted(len(inventory.nodes), 'node')}, "
            f"{counted(len(app.loaded.assignments), 'task')} on them"
        )
        if rows:
            columns = ("node", "what", "verdict", "detail", "what to do")
            show_table("Nodes", columns, [(r.node, r.what, r.verdict, r.detail, r.hint) for r in rows])
    if "unknown" in verdicts:
        return Exit.UNKNOWN
    return Exit.TROUBLE if "wrong" in verdicts else Exit.FINE
