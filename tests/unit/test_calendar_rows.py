"""What `maintainer calendar` shows, and the timer lines that it prints."""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner

from maintainer.cli.calendar import calendar, notes
from maintainer.cli.session import Session
from maintainer.model.inventory import Inventory
from maintainer.model.task import Assignment, Params
from maintainer.model.window import Day, Window
from maintainer.planning.timetable import calendar_rows, timer_lines

INVENTORY = Inventory.model_validate(
    {
        "site": {
            "name": "st-elsewhere",
            "timezone": "Europe/Paris",
            "holidays": "FR",
            "blackouts": [{"from": dt.date(2026, 3, 31), "to": dt.date(2026, 3, 31), "why": "new scanner"}],
        },
        "controller": {"state": "/var/lib/maintainer"},
        "windows": {
            "nightly": {"opens": "22:00", "closes": "05:00"},
            "weekend": {"opens": "02:30", "closes": "06:00", "days": ["sat", "sun"]},
        },
        "nodes": {name: {"address": "192.0.2.1", "ssh": {"user": "maintainer"}} for name in ("pacs-a", "pacs-b")},
        "tasks": {"db-vacuum": {"window": "nightly"}},
    }
)
ASSIGNMENTS = tuple(
    Assignment(node=node, task="db-vacuum", params=Params(window="nightly")) for node in ("pacs-a", "pacs-b")
)
FRIDAY_NOON = dt.datetime(2026, 3, 27, 11, tzinfo=dt.UTC)


@dataclass
class Loaded:
    """What the command needs of a loaded inventory."""

    inventory: Inventory
    assignments: tuple[Assignment, ...]


def shown(*arguments: str, now: dt.datetime = FRIDAY_NOON) -> str:
    session = Session()
    vars(session)["loaded"] = Loaded(INVENTORY, ASSIGNMENTS)
    with time_machine.travel(now, tick=False):
        result = CliRunner().invoke(calendar, arguments, obj=session, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_every_day_of_every_window_is_listed_in_order() -> None:
    """Friday to Tuesday: the weekend's openings, the night of the change, and the closed day with its reason."""
    rows = calendar_rows(INVENTORY, ASSIGNMENTS, FRIDAY_NOON, 5)
    told = [(f"{row.day:%a}", row.window, row.closed_because or row.remark) for row in rows]
    assert told == [
        ("Fri", "nightly", ""),
        ("Sat", "weekend", ""),
        ("Sat", "nightly", "lasts 6 h, not 7 h"),
        ("Sun", "weekend", "02:30 does not exist on 2026-03-29: opens at 03:00; lasts 3 h, not 3 h 30 min"),
        ("Sun", "nightly", ""),
        ("Mon", "nightly", ""),
        ("Tue", "nightly", "blackout: new scanner"),
    ]


def test_what_opened_yesterday_and_is_still_open_is_listed_first() -> None:
    """At one in the morning the night's window is yesterday's; at six it is over."""
    at_one = dt.datetime(2026, 3, 27, 0, tzinfo=dt.UTC)
    assert [str(row.day) for row in calendar_rows(INVENTORY, (), at_one, 1)] == ["2026-03-26", "2026-03-27"]
    at_six = dt.datetime(2026, 3, 27, 5, tzinfo=dt.UTC)
    assert [str(row.day) for row in calendar_rows(INVENTORY, (), at_six, 1)] == ["2026-03-27"]


def test_a_row_names_the_tasks_that_use_the_window_and_where() -> None:
    """A window that nothing uses has none."""
    rows = calendar_rows(INVENTORY, ASSIGNMENTS, FRIDAY_NOON, 2)
    used = {row.window: [(use.task, use.nodes) for use in row.tasks] for row in rows}
    assert used == {"nightly": [("db-vacuum", ("pacs-a", "pacs-b"))], "weekend": []}


def test_the_local_times_carry_the_offset_of_that_moment() -> None:
    """Saturday night opens in winter time and closes in summer time."""
    saturday = calendar_rows(INVENTORY, (), FRIDAY_NOON, 2)[2]
    times = [moment.isoformat() for moment in (saturday.opens, saturday.closes) if moment]
    assert times == ["2026-03-28T22:00:00+01:00", "2026-03-29T05:00:00+02:00"]


def test_the_calendar_in_a_pipe_is_plain_lines() -> None:
    """One line a row, cells parted by tabs, and below it what is open now."""
    lines = shown("--days", "5").splitlines()
    assert lines[0].split("\t") == ["day", "window", "local time", "UTC", "tasks (nodes)", "remark"]
    assert lines[1] == "Fri 2026-03-27\tnightly\t22:00 to 05:00\t27 21:00 to 28 04:00\tdb-vacuum (2)\t"
    assert lines[7] == "Tue 2026-03-31\tnightly\tclosed\tclosed\tdb-vacuum (2)\tblackout: new scanner"
    assert lines[8:] == ["No window is open now."]


def test_what_is_open_and_what_does_not_open_is_said() -> None:
    """On Monday night the nightly window is open and the weekend's is far."""
    monday_night = shown("--days", "1", now=dt.datetime(2026, 3, 30, 22, tzinfo=dt.UTC))
    assert monday_night.splitlines()[-2:] == [
        "Open now: nightly, until Tue 05:00 local time.",
        "weekend does not open in these 1 days.",
    ]


def test_a_window_that_does_not_close_at_midnight_is_not_said_to() -> None:
    """The end that is told is the one that counts: of days that follow each other, that of the last."""
    day = Window(opens=dt.time(), closes=dt.time())
    two = day.model_copy(update={"days": (Day.FRIDAY, Day.SATURDAY)})
    site = INVENTORY.site.model_copy(update={"blackouts": ()})
    inventory = INVENTORY.model_copy(update={"site": site, "windows": {"days": two, "always": day}})
    assert notes(inventory, calendar_rows(inventory, (), FRIDAY_NOON, 1), FRIDAY_NOON, 1) == [
        "Open now: days, until Sun 00:00 local time.",
        "Open now: always, for 6 days and longer.",
    ]


def test_the_calendar_as_json_is_one_document() -> None:
    """Times stand in local time and in UTC; a closed day has neither."""
    document: dict[str, Any] = json.loads(shown("--days", "5", "--json"))
    assert document["format"] == "maintainer.calendar/1"
    assert (document["site"], document["timezone"], document["days"]) == ("st-elsewhere", "Europe/Paris", 5)
    first, last = document["windows"][0], document["windows"][-1]
    assert (first["opens"], first["opens_utc"]) == ("2026-03-27T22:00:00+01:00", "2026-03-27T21:00:00+00:00")
    assert first["tasks"] == [{"task": "db-vacuum", "nodes": ["pacs-a", "pacs-b"]}]
    assert (last["closed_because"], last["opens"], last["opens_utc"]) == ("blackout: new scanner", None, None)


def test_the_timer_fires_when_windows_open_also_after_a_gap() -> None:
    """A 02:30 that does not exist is skipped by systemd, so each spring of the next five years is a line of its own."""
    lines = timer_lines(INVENTORY, FRIDAY_NOON)
    assert lines[:2] == [
        "OnCalendar=Mon,Tue,Wed,Thu,Fri,Sat,Sun *-*-* 22:00:00 Europe/Paris",
        "OnCalendar=Sat,Sun *-*-* 02:30:00 Europe/Paris",
    ]
    assert lines[2] == "OnCalendar=2026-03-29 03:00:00 Europe/Paris"
    assert [line[11:15] for line in lines[2:]] == ["2026", "2027", "2028", "2029", "2030", "2031"]


def test_the_timer_drop_in_replaces_the_shipped_hour() -> None:
    """An empty `OnCalendar=` drops the lines of the unit itself, or the run would also start at its hour."""
    lines = shown("--timer").splitlines()
    assert lines[1:4] == [
        "[Timer]",
        "OnCalendar=",
        "OnCalendar=Mon,Tue,Wed,Thu,Fri,Sat,Sun *-*-* 22:00:00 Europe/Paris",
    ]
    assert json.loads(shown("--timer", "--json"))["lines"] == lines[3:]


@pytest.mark.parametrize("days", ["0", "401", "many"])
def test_a_span_of_days_that_makes_no_sense_is_refused(days: str) -> None:
    """From one day to a little over a year."""
    result = CliRunner().invoke(calendar, ["--days", days], obj=Session())
    assert result.exit_code == 2
    assert "--days" in result.stderr
