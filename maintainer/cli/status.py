"""`maintainer status`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from maintainer.cli import complete
from maintainer.cli.output import Card, emit, json_option, show_cards, show_table
from maintainer.cli.plan_view import show_findings
from maintainer.cli.session import Session
from maintainer.model.values import write_duration

if TYPE_CHECKING:
    from maintainer.running.standing import Status, StoreCoverage
    from maintainer.running.trend import Trend


@click.command()
@click.option(
    "--task", "-t", metavar="NAME", shell_complete=complete.tasks, help="What this task has done, and gained."
)
@json_option
@click.pass_obj
def status(session: Session, task: str | None, *, as_json: bool) -> None:
    """Show the last run, what it found, and what waits for a person. Asks the log, not the nodes."""
    from maintainer.running.standing import standing  # noqa: PLC0415 (not needed for --help)

    app = session.app
    if task is not None:
        _trends(session, task, as_json=as_json)
        return
    with app.read_log() as log:
        now = standing(log, app.loaded.assignments, datetime.now(UTC), app.at_work())
    if as_json:
        emit(now)
        return
    if now.last_run:
        _show_last_run(now)
    else:
        click.echo("No run is on record yet. `maintainer plan` shows what one would do.")
    _show_people(now)


def _trends(session: Session, task: str, *, as_json: bool) -> None:
    from maintainer.running.trend import trends  # noqa: PLC0415 (not needed for --help)

    app = session.app
    chosen = app.choose(window=None, nodes=(), tasks=(task,))
    with app.read_log() as log:
        found = trends(log, chosen, app.tasks[task], datetime.now(UTC).date())
    if as_json:
        emit(found)
        return
    if not (found.trends or found.others):
        click.echo(f"Nothing that {task} did is on record yet.")
        return
    columns = ("node", "subject", "done", "failed", "last (UTC)", "took", "WAL", "reclaimed", "in all", "due by", "")
    show_table(task, columns, [_trend(one) for one in found.trends])
    for why, count in found.others.items():
        click.echo(f"Not foreseeable when {count} more will be due: {why}")
    for node in found.retire:
        click.echo(f"{node}: {task} never gave back a tenth of anything: leave this node out of [tasks.{task}]")


def _trend(one: "Trend") -> tuple[str, ...]:
    took = f"{one.seconds:.1f} s" if one.seconds is not None else ""
    took += f" of {one.predicted:.1f} s" if one.predicted is not None else ""
    wal = f"{one.wal / 1e6:.1f} MB" if one.wal is not None else ""
    gained = tuple(
        f"{value / 1e6:.1f} MB" if value is not None else "" for value in (one.reclaimed, one.reclaimed_in_all)
    )
    told = "; ".join(filter(None, (_told_by(one), "gives nothing back: leave it out" if one.pays is False else "")))
    counts = (str(one.done), f"{one.failed}{f', {one.unknown} unknown' if one.unknown else ''}")
    return one.node, one.subject, *counts, (one.last or "")[:16], took, wal, *gained, str(one.next_by or ""), told


def _told_by(one: "Trend") -> str:
    """On what rests when it will be due, or why nobody can say."""
    by = {"measurements": f"measured in {one.nights} nights since {one.since}", "rhythm": "by its rhythm", None: ""}
    return by[one.next_told_by] or (one.unforeseen and f"not foreseeable: {one.unforeseen}")


def _show_last_run(now: "Status") -> None:
    ended = f", which goes on: {now.running}" if now.running else ", which did not end by itself"
    click.echo(f"Last run {now.last_run} at {now.last_run_at[:16]}Z{'' if now.closed else ended}")
    columns = ("node", "task", "looked", "answer", "because", "steps")
    rows = [(t.node, t.task, t.decided_at[:16], t.answer, t.because, _counts(t.endings)) for t in now.tasks]
    show_table("Tasks", columns, rows)
    if now.stores:
        columns = ("node", "as of (UTC)", "read in time", "oldest reading", "all of it by", "deadline")
        show_table("Stores", columns, [_store(one) for one in now.stores])
    show_findings([(found.node, found.finding) for found in now.findings])
    for intent in now.open_intents:
        waits = f"Waits for a look: {intent}; the next run reconciles it first"
        click.echo(f"Under way: {intent}" if now.running else waits)


def _show_people(now: "Status") -> None:
    """Show who is at work, and what no run will settle by itself."""
    for work in now.people:
        click.echo(f"At work: {work}")
    cards = [Card((one.kind, one.node, one.id), (one.what, f"→ {one.do}")) for one in now.waiting]
    if cards:
        show_cards("Waits for a person", cards)


def _store(one: "StoreCoverage") -> tuple[str, ...]:
    found = one.coverage
    takes = f"it takes {found.rate_needed / 1e6:.1f} MB/s in each window"
    kept = {
        True: f"can be kept: {takes}",
        False: f"cannot be kept: {takes}",
        None: f"no speed was measured yet; {takes}",
    }
    share = f"{found.share:.0%} within {write_duration(found.within)}"
    never = "" if found.keeps is None else "never"
    by = "already" if found.share >= 1 else f"{found.complete:%Y-%m-%d}" if found.complete else never
    return one.node, one.as_of[:16], share, str(found.oldest or ""), by, kept[found.keeps]


def _counts(endings: dict[str, int]) -> str:
    return ", ".join(f"{count} {ending}" for ending, count in endings.items())
