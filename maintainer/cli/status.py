"""`maintainer status`."""

import click

from maintainer.cli.output import emit, json_option, show_table
from maintainer.cli.plan_view import show_findings
from maintainer.cli.session import Session


@click.command()
@json_option
@click.pass_obj
def status(session: Session, *, as_json: bool) -> None:
    """Show the last run, what it found, and what waits for a person. Asks the log, not the nodes."""
    from maintainer.running.standing import standing  # noqa: PLC0415 (not needed for --help)

    app = session.app
    with app.read_log() as log:
        now = standing(log, app.loaded.assignments)
    if as_json:
        emit(now)
        return
    if not now.last_run:
        click.echo("No run is on record yet. `maintainer plan` shows what one would do.")
        return
    click.echo(
        f"Last run {now.last_run} at {now.last_run_at[:16]}Z{'' if now.closed else ', which did not end by itself'}"
    )
    columns = ("node", "task", "looked", "answer", "because", "steps")
    rows = [(t.node, t.task, t.decided_at[:16], t.answer, t.because, _counts(t.endings)) for t in now.tasks]
    show_table("Tasks", columns, rows)
    show_findings([(found.node, found.finding) for found in now.findings])
    for intent in now.open_intents:
        click.echo(f"Waits for a look: {intent}; the next run reconciles it first")


def _counts(endings: dict[str, int]) -> str:
    return ", ".join(f"{count} {ending}" for ending, count in endings.items())
