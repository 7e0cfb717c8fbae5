"""How answers reach people and programs: one JSON document, a rich table on a terminal, or plain lines in a pipe."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(command)


NARROW = 80
"""Columns of a terminal below which a table's cells would be towers of syllables."""


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

    if console().width < NARROW:
        show_cards(title, [Card(tuple(row[:-1]), (row[-1],)) for row in rows])
        return
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console().print(table)


class Card(NamedTuple):
    """What is too long for a table: a head of short words that must never be cut, and the sentences below it."""

    head: tuple[str, ...]
    body: tuple[str, ...]


def show_cards(title: str, cards: Sequence[Card]) -> None:
    """Show cards one below the other on a terminal, and each as one tab-separated line in a pipe."""
    if not sys.stdout.isatty():
        for card in cards:
            click.echo("\t".join((*card.head, *card.body)))
        return
    from rich.padding import Padding  # noqa: PLC0415 (only on a terminal)
    from rich.text import Text  # noqa: PLC0415 (only on a terminal)

    screen = console()
    screen.print(Text(title, style="italic"))
    for card in cards:
        screen.print(Text("  ").join(Text(word, style=STYLES.get(word, "bold")) for word in card.head))
        for sentence in filter(None, card.body):
            screen.print(Padding(Text(sentence), (0, 0, 0, 4)))
    screen.print()


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
