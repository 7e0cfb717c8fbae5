"""How answers reach people and programs: one JSON document, a rich table on a terminal, or plain lines in a pipe."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(command)


def emit(document: Any) -> None:
    """Print the one document of `--json`; pydantic values are written as JSON would have them."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", by_alias=True) if hasattr(value, "model_dump") else str(value)


def console(*, stderr: bool = False) -> "Console":
    """A console that honours NO_COLOR, the terminal's width and a pipe (no colour, no folding)."""
    from rich.console import Console  # noqa: PLC0415 (rich takes longer to import than --help may take)

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr, highlight=False, soft_wrap=not stream.isatty(), width=None if stream.isatty() else 10_000
    )


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show rows as a table on a terminal, and as tab-separated lines under a header in a pipe."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            click.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    from rich import box  # noqa: PLC0415 (only on a terminal)
    from rich.table import Table  # noqa: PLC0415 (only on a terminal)
    from rich.text import Text  # noqa: PLC0415 (only on a terminal)

    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console().print(table)


STYLES = {
    "critical": "bold red",
    "warning": "yellow",
    "failed": "bold red",
    "unknown": "bold magenta",
    "unseen": "bold magenta",
    "refuse": "yellow",
    "done": "green",
    "steps": "cyan",
}
