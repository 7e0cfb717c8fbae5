"""`maintainer calendar`: when work may be done, and when not."""

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from maintainer.cli.output import emit, json_option, show_table
from maintainer.cli.session import Session

if TYPE_CHECKING:
    from maintainer.model.inventory import Inventory
    from maintainer.planning.timetable import Row

ALWAYS = dt.timedelta(days=6)  # the name of a day means one day only
COLUMNS = ("day", "window", "local time", "UTC", "tasks (nodes)", "remark")


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1, 400),
    default=14,
    show_default=True,
    metavar="N",
    help="How far to look, from today.",
)
@click.option(
    "--timer",
    is_flag=True,
    help="Print a drop-in for maintainer-run.timer instead, so that it fires when windows open.",
)
@json_option
@click.pass_obj
def calendar(session: Session, *, days: int, timer: bool, as_json: bool) -> None:
    """Show when the windows open in the days to come, for which tasks, and which days are closed and why."""
    from maintainer.planning.timetable import calendar_rows, timer_lines  # noqa: PLC0415 (pydantic is not needed for --help)

    loaded, now = session.loaded, dt.datetime.now(dt.UTC)
    inventory = loaded.inventory
    if timer:
        _show_timer(timer_lines(inventory, now), as_json=as_json)
        return
    rows = calendar_rows(inventory, loaded.assignments, now, days)
    if as_json:
        emit(document(inventory, rows, now, days))
    else:
        title = f"Windows of {inventory.site.name}, {inventory.site.timezone}"
        show_table(title, COLUMNS, [cells(row) for row in rows])
        click.echo("\n".join(notes(inventory, rows, now, days)))


def document(inventory: "Inventory", rows: "list[Row]", now: dt.datetime, days: int) -> dict[str, Any]:
    """Make the document of `--json`: each row in local time with its offset, and again in UTC."""
    return {
        "format": "maintainer.calendar/1",
        "site": inventory.site.name,
        "timezone": inventory.site.timezone,
        "now": now.isoformat(timespec="seconds"),
        "days": days,
        "windows": [
            {**row.model_dump(mode="json"), "opens_utc": _iso_utc(row.opens), "closes_utc": _iso_utc(row.closes)}
            for row in rows
        ],
    }


def cells(row: "Row") -> tuple[str, ...]:
    """Write a row for people; a closed day has its reason where others have a remark."""
    day = f"{row.day:%a %Y-%m-%d}"
    tasks = ", ".join(f"{use.task} ({len(use.nodes)})" for use in row.tasks) or "none"
    if row.opens is None or row.closes is None:
        return day, row.window, "closed", "closed", tasks, row.closed_because
    in_utc = f"{row.opens.astimezone(dt.UTC):%d %H:%M} to {row.closes.astimezone(dt.UTC):%d %H:%M}"
    return day, row.window, f"{row.opens:%H:%M} to {row.closes:%H:%M}", in_utc, tasks, row.remark


def notes(inventory: "Inventory", rows: "list[Row]", now: dt.datetime, days: int) -> list[str]:
    """Say below the table what it cannot: what is open now, and what does not open at all."""
    from maintainer.planning.calendar import open_now  # noqa: PLC0415 (pydantic is not needed for --help)

    zone, is_open = ZoneInfo(inventory.site.timezone), open_now(inventory.windows, inventory.site, now)
    silent = [name for name in inventory.windows if not any(row.window == name and row.opens for row in rows)]
    said = [f"Open now: {name}, {_until(found.closes.astimezone(zone), now)}." for name, found in is_open.items()]
    said += [f"{name} does not open in these {days} days." for name in silent]
    return said or ["No window is open now."]


def _until(closes: dt.datetime, now: dt.datetime) -> str:
    return f"until {closes:%a %H:%M} local time" if closes - now < ALWAYS else f"for {ALWAYS.days} days and longer"


def _show_timer(lines: list[str], *, as_json: bool) -> None:
    if as_json:
        emit({"format": "maintainer.timer/1", "lines": lines})
        return
    click.echo("# Made by `maintainer calendar --timer`: make it again when a window of the inventory changes.")
    click.echo("\n".join(["[Timer]", "OnCalendar=", *lines]))


def _iso_utc(instant: dt.datetime | None) -> str | None:
    return instant.astimezone(dt.UTC).isoformat(timespec="seconds") if instant else None
