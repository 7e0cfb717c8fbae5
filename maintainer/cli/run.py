"""`maintainer run`: the night's work."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maintainer.cli.choose import choice_options
from maintainer.cli.output import emit, json_option
from maintainer.cli.session import Session
from maintainer.cli.streams import going_on_unheard
from maintainer.errors import UsageError

if TYPE_CHECKING:
    from maintainer.app import Maintainer
    from maintainer.model.plan import Plan
    from maintainer.model.task import Assignment


@click.command()
@choice_options
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    help="Do only what this plan file holds and what is still due.",
)
@click.option(
    "--unattended", is_flag=True, help="Ask nothing; for timers. What no window allows now is left for another night."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask before the first step.")
@click.option("--dry-run", is_flag=True, help="The same as `maintainer plan`.")
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    *,
    window: str | None,
    node: tuple[str, ...],
    task: tuple[str, ...],
    now: bool,
    plan_file: Path | None,
    unattended: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Do what is due, inside its window, one step at a time on a node, and look again after each.

    On a terminal it shows the plan and asks first; elsewhere it begins at once. Ctrl-C finishes what has begun; a
    second one cuts the links.
    Exit code: 0 all done or nothing due, 1 findings or a failed step, 3 an ending is unknown, 4 refused, 74 the log
    cannot be written, 75 another run goes on, 130 interrupted.
    """
    session: Session = ctx.obj
    if dry_run:
        return _as_plan(ctx, window=window, node=node, task=task, now=now, as_json=as_json, plan_file=plan_file)
    with going_on_unheard():
        app = session.app
        approved = app.read_plan(plan_file) if plan_file else None
        if approved and now:
            raise UsageError("a plan file says itself what was asked for", hint="leave --now out")
        chosen = app.choose(window=window, nodes=node, tasks=task, asked=now)
        ask = sys.stdin.isatty() and sys.stdout.isatty() and not (unattended or yes or as_json or approved)
        if ask and not _agreed(ctx, window=window, node=node, task=task, now=now):
            return 0
        return _perform(app, chosen, approved=approved, window=window, as_json=as_json)


def _perform(
    app: "Maintainer", chosen: "Sequence[Assignment]", *, approved: "Plan | None", window: str | None, as_json: bool
) -> int:
    from maintainer.cli.live import reporter  # noqa: PLC0415 (not needed for --help)
    from maintainer.cli.run_view import show_run  # noqa: PLC0415 (not needed for --help)

    say = partial(click.echo, err=True)
    with app.stop.on_signals(say), reporter(quiet=as_json, steps=True) as report:
        done = app.run(chosen, report, approved=approved, window=window)
    if as_json:
        emit({**done.model_dump(mode="json", by_alias=True), "exit": done.exit()})
    else:
        show_run(done, app.next_opening())
    return done.exit()


def _as_plan(ctx: click.Context, *, plan_file: Path | None, as_json: bool, **chosen: object) -> int:
    from maintainer.cli.plan import plan  # noqa: PLC0415 (one command's code in another's: only when asked)

    if plan_file is not None:
        raise UsageError("--dry-run makes a plan, and --plan performs one", hint="leave one of them out")
    code: int = ctx.invoke(plan, out=None, as_json=as_json, **chosen)
    return code


def _agreed(ctx: click.Context, **chosen: object) -> bool:
    """Show what would be done and ask; the run then looks again for itself."""
    _as_plan(ctx, **chosen, as_json=False, plan_file=None)
    return click.confirm("Do this now?", default=False)
