"""A run's report as people read it."""

import click

from maintainer.cli.live import told
from maintainer.cli.output import show_table
from maintainer.cli.plan_view import decision_row, show_findings
from maintainer.errors import Exit
from maintainer.model.window import Occurrence
from maintainer.running.report import RunReport

VERDICTS = {
    Exit.FINE: "All that was due is done.",
    Exit.TROUBLE: "There are findings or failed steps: see above.",
    Exit.UNKNOWN: "Something is not known: see above, and look at the node before the next run.",
    Exit.REFUSED: "Something was refused: see above.",
    Exit.INTERRUPTED: "Interrupted: what had begun was finished, the rest waits for the next run.",
}


def show_run(report: RunReport, opening: Occurrence | None) -> None:
    if not report.tasks:
        when = (
            f"{opening.window} opens at {opening.opens:%Y-%m-%d %H:%M} UTC" if opening else "none opens within a year"
        )
        click.echo(f"No window of these tasks is open now, so nothing was done; {when}.")
        return
    for window in report.missed:
        click.echo(f"Missed, and not caught up: window {window}")
    for one in report.settled:
        click.echo(f"Settled from an earlier run: {one.node} {one.task} {one.subject}: {one.ending}")
    show_table(
        "Decisions",
        ("node", "task", "answer", "what"),
        [decision_row(task.node, task.task, task.answer) for task in report.tasks],
    )
    rows = [
        (task.node, task.task, done.ending.ending, done.step.title, told(done.ending))
        for task in report.tasks
        for done in task.steps
    ]
    if rows:
        show_table("Steps", ("node", "task", "ending", "step", "how"), rows)
    show_findings([(task.node, finding) for task in report.tasks for finding in task.answer.findings])
    click.echo(f"Run {report.run}: {VERDICTS[report.exit()]}")
