"""What is going on right now: a live table on a terminal, a line for each event in a pipe, nothing under --json."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import click
import structlog
from pydantic import JsonValue

from maintainer.cli.output import STYLES, console
from maintainer.model.outcome import Ending, Failed, NotRun, Unknown
from maintainer.model.values import about
from maintainer.running.events import Event, Reporter, StepEnded, StepProgress, StepStarted, TaskDecided, TaskStarted
from maintainer.running.recorder import summary

if TYPE_CHECKING:
    from rich.console import RenderableType

LOG = structlog.get_logger(__name__)


@contextmanager
def reporter(*, quiet: bool, steps: bool = False) -> Iterator[Reporter]:
    """Give what the engine reports to. `steps`: also say, line by line, what a run does."""
    if quiet:
        yield _log
    elif sys.stderr.isatty():
        from rich.live import Live  # noqa: PLC0415 (only on a terminal)

        view = LiveView(steps=steps)
        with Live(
            get_renderable=view.render, console=console(stderr=True), refresh_per_second=4, transient=True
        ) as live:
            view.print = live.console.print
            yield view
    else:
        yield _say_steps(Lines()) if steps else _log


def line(event: Event) -> str:
    """Say an event in one line."""
    match event:
        case TaskStarted(node=node, task=task):
            return f"{node}  {task}: looking"
        case TaskDecided(node=node, task=task, answer=answer):
            return f"{node}  {task}: {summary(answer)}"
        case StepStarted(node=node, task=task, step=step):
            return f"{node}  {task}: {step.title} … ({step.reason})"
        case StepProgress(node=node, task=task, step=step, progress=progress):
            return f"{node}  {task}: {step.title}: {progress}"
        case StepEnded(node=node, task=task, step=step, ending=ending):
            return f"{node}  {task}: {step.title}: {told(ending)}"


class Lines:
    """Says what happens line by line, and a reason once: the steps of one subject share theirs."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, str], str] = {}

    def __call__(self, event: Event) -> str:
        if isinstance(event, StepStarted):
            last = self._reasons.get((event.node, event.task))
            self._reasons[event.node, event.task] = event.step.reason
            if last == event.step.reason:
                return f"{event.node}  {event.task}: {event.step.title} …"
        return line(event)


def told(ending: Ending) -> str:
    """Say how a step ended, with what there is to know about it.

    >>> told(Failed(error="the lock was not had in time"))
    'failed: the lock was not had in time'
    """
    match ending:
        case Failed(error=why) | Unknown(last_seen=why):
            return f"{ending.ending}: {why}"
        case NotRun(reason=reason, detail=detail):
            return f"not run ({reason.value.replace('-', ' ')}{': ' if detail else ''}{detail})"
        case _:
            return f"done{_told_seconds(ending.measured)}{_told_gain(ending.measured)}{_told_wal(ending.measured)}"


def _told_seconds(measured: Mapping[str, JsonValue]) -> str:
    seconds, outage = measured.get("seconds"), measured.get("outage_seconds")
    took = f" in {seconds} s" if seconds is not None else ""
    match measured:
        case {"predicted_seconds": int() | float() as predicted}:
            took += f" (about {about(predicted)} were predicted)"
    return took + (f"; out of service for {outage} s" if outage is not None else "")


def _told_gain(measured: Mapping[str, JsonValue]) -> str:
    """Say what a rebuild has given back, a vacuum removed, or a check found.

    >>> _told_gain({"reclaimed-bytes": 5_800_000, "reclaimed-share": 0.94})
    '; 5.8 MB reclaimed (94%)'
    >>> _told_gain({"removed-rows": 15000.0, "dead-rows-left": 12.0})
    '; 15,000 dead rows removed, 12 left'
    >>> _told_gain({"checked": 212, "damaged": 1})
    '; 212 checked, 1 damaged'
    """
    match measured:
        case {"reclaimed-bytes": int() | float() as gained, "reclaimed-share": int() | float() as share}:
            return f"; {gained / 1e6:.1f} MB reclaimed ({share:.0%})"
        case {"removed-rows": int() | float() as removed, "dead-rows-left": int() | float() as left}:
            return f"; {removed:,.0f} dead rows removed, {left:,.0f} left"
        case {"checked": int() as checked, "damaged": int() as damaged}:
            return f"; {checked} checked, {damaged} damaged"
        case _:
            return ""


def _told_wal(measured: Mapping[str, JsonValue]) -> str:
    """Say how much WAL a statement has written, or how much was written while it ran.

    >>> _told_wal({"wal_bytes": 6_300_000, "wal_of": "statement"})
    '; 6.3 MB of WAL'
    >>> _told_wal({"wal_bytes": 6_300_000, "wal_of": "server"})
    "; at most 6.3 MB of WAL (the whole server's)"
    """
    match measured:
        case {"wal_bytes": int() | float() as written, "wal_of": "statement"}:
            return f"; {written / 1e6:.1f} MB of WAL"
        case {"wal_bytes": int() | float() as written}:
            return f"; at most {written / 1e6:.1f} MB of WAL (the whole server's)"
        case _:
            return ""


def _log(event: Event) -> None:
    if not isinstance(event, StepProgress):
        LOG.info(type(event).__name__, line=line(event))


def _say_steps(lines: Lines) -> Reporter:
    def say(event: Event) -> None:
        if not isinstance(event, TaskStarted | StepProgress):
            click.echo(f"{time.strftime('%H:%M:%SZ', time.gmtime())}  {lines(event)}")

    return say


class LiveView:
    """One row a node, redrawn while the run goes on; what has ended scrolls above it."""

    def __init__(self, *, steps: bool) -> None:
        self._rows: dict[str, tuple[str, float]] = {}
        self._lock, self._steps = Lock(), steps
        self.print = console(stderr=True).print

    def __call__(self, event: Event) -> None:
        from rich.text import Text  # noqa: PLC0415 (only on a terminal)

        _log(event)
        with self._lock:
            if isinstance(event, TaskStarted | StepStarted):
                self._rows[event.node] = (line(event), time.monotonic())
            elif isinstance(event, StepProgress):
                _, since = self._rows[event.node]
                self._rows[event.node] = (line(event), since)
            elif self._steps:
                style = STYLES.get(event.ending.ending if isinstance(event, StepEnded) else event.answer.kind, "")
                self.print(Text(line(event), style=style))

    def render(self) -> "RenderableType":
        from rich.text import Text  # noqa: PLC0415 (only on a terminal)

        with self._lock:
            now = time.monotonic()
            rows = [f"▸ {text}  {now - since:.0f} s" for text, since in self._rows.values()]
        return Text("\n".join(rows), no_wrap=True, overflow="ellipsis", style="dim")
