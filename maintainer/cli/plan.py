"""`maintainer plan`: the dry run."""

from functools import partial
from pathlib import Path

import click

from maintainer.cli.choose import choice_options
from maintainer.cli.output import emit, json_option
from maintainer.cli.session import Session


@click.command()
@choice_options
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write a plan file that `run --plan` accepts until it expires."
)
@json_option
@click.pass_obj
def plan(
    session: Session,
    *,
    window: str | None,
    node: tuple[str, ...],
    task: tuple[str, ...],
    now: bool,
    out: Path | None,
    as_json: bool,
) -> int:
    """Look at the nodes and show what a run would do now. Changes nothing on any node.

    Exit code: 0 steps or nothing due, 1 findings, 3 a node could not be looked at, 4 a task refused.
    """
    from maintainer.cli.live import reporter  # noqa: PLC0415 (not needed for --help)
    from maintainer.cli.plan_view import show_plan  # noqa: PLC0415 (not needed for --help)
    from maintainer.links.plan_file import check_place, write_plan  # noqa: PLC0415 (not needed for --help)
    from maintainer.running.report import exit_of_plan  # noqa: PLC0415 (not needed for --help)

    if out is not None:
        check_place(out)
    app = session.app
    say = partial(click.echo, err=True)
    with app.stop.on_signals(say, looking_only=True), reporter(quiet=as_json) as report:
        made = app.plan(app.choose(window=window, nodes=node, tasks=task, asked=now), report)
    if out is not None:
        write_plan(made, out)
    if as_json:
        emit({**made.model_dump(mode="json", by_alias=True), "digest": made.digest()})
    else:
        show_plan(made, out)
    return exit_of_plan(made)
