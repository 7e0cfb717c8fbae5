"""Windows in time: ordinary nights, the nights in which clocks are set, closed days, and what was missed."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from maintainer.errors import UsageError
from maintainer.model.inventory import Blackout, Site
from maintainer.model.window import Day, Occurrence, Window
from maintainer.planning.calendar import missed, next_opening, occurrences, open_now
from maintainer.planning.closures import closed_because


def site(timezone: str = "Europe/Paris", *, holidays: str | None = None, blackouts: tuple[Blackout, ...] = ()) -> Site:
    return Site(name="demo", timezone=timezone, holidays=holidays, blackouts=blackouts)


def window(span: str, *days: Day) -> Window:
    opens, closes = span.split("-")
    return Window.model_validate({"opens": opens, "closes": closes, "days": days or tuple(Day)})


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def on(day: str, span: str, where: Site | None = None) -> Occurrence:
    """Find the one occurrence of a daily window that opens on `day`."""
    where, date = where or site(), dt.date.fromisoformat(day)
    since = dt.datetime.combine(date, dt.time(), dt.UTC) - dt.timedelta(days=3)
    found = occurrences("nightly", window(span), where, since, since + dt.timedelta(days=7))
    (one,) = (each for each in found if each.day == date)
    return one


def utc_span(found: Occurrence) -> str:
    return f"{found.opens:%dT%H:%M}/{found.closes:%dT%H:%M}"


@pytest.mark.fault(44)
@pytest.mark.parametrize(
    ("timezone", "day", "span", "expected", "remark"),
    [
        ("Europe/Paris", "2026-01-15", "22:00-05:00", "15T21:00/16T04:00", ""),
        ("Europe/Paris", "2026-07-15", "22:00-05:00", "15T20:00/16T03:00", ""),
        ("UTC", "2026-03-29", "02:30-02:30", "29T02:30/30T02:30", ""),
        ("Asia/Kolkata", "2026-03-29", "00:15-04:00", "28T18:45/28T22:30", ""),
        # The clocks go forward at 02:00.
        ("Europe/Paris", "2026-03-28", "22:00-05:00", "28T21:00/29T03:00", "lasts 6 h, not 7 h"),
        (
            "Europe/Paris",
            "2026-03-29",
            "02:30-05:00",
            "29T01:00/29T03:00",
            "02:30 does not exist on 2026-03-29: opens at 03:00; lasts 2 h, not 2 h 30 min",
        ),
        (
            "Europe/Paris",
            "2026-03-28",
            "22:00-02:30",
            "28T21:00/29T01:00",
            "02:30 does not exist on 2026-03-29: closes at 03:00; lasts 4 h, not 4 h 30 min",
        ),
        (
            "Europe/Paris",
            "2026-03-29",
            "02:15-02:45",
            "29T01:00/29T01:30",
            "02:15 does not exist on 2026-03-29: opens at 03:00; 02:45 does not exist on 2026-03-29: closes at 03:30",
        ),
        (
            "Europe/Paris",
            "2026-03-29",
            "02:00-03:00",
            "29T01:00/29T02:00",
            (
                "02:00 does not exist on 2026-03-29: opens at 03:00; "
                "03:00 ends the hour that does not exist on 2026-03-29: closes at 04:00"
            ),
        ),
        # The clocks go back from 03:00 to 02:00.
        ("Europe/Paris", "2026-10-25", "01:00-05:00", "24T23:00/25T04:00", "lasts 5 h, not 4 h"),
        (
            "Europe/Paris",
            "2026-10-25",
            "02:30-05:00",
            "25T00:30/25T04:00",
            "02:30 exists twice on 2026-10-25: opens at the first; lasts 3 h 30 min, not 2 h 30 min",
        ),
        (
            "Europe/Paris",
            "2026-10-24",
            "22:00-02:30",
            "24T20:00/25T00:30",
            "02:30 exists twice on 2026-10-25: closes at the first",
        ),
        # Half an hour, from 02:00 to 02:30; clocks of midnight; a day that the date line swallowed.
        (
            "Australia/Lord_Howe",
            "2026-10-04",
            "02:15-04:00",
            "03T15:30/03T17:00",
            "02:15 does not exist on 2026-10-04: opens at 02:30; lasts 1 h 30 min, not 1 h 45 min",
        ),
        (
            "America/Sao_Paulo",
            "2018-11-04",
            "00:00-04:00",
            "04T03:00/04T06:00",
            "00:00 does not exist on 2018-11-04: opens at 01:00; lasts 3 h, not 4 h",
        ),
        ("America/Sao_Paulo", "2018-02-17", "22:30-00:30", "18T00:30/18T03:30", "lasts 3 h, not 2 h"),
        (
            "Pacific/Apia",
            "2011-12-29",
            "22:00-02:00",
            "30T08:00/30T10:00",
            "02:00 does not exist on 2011-12-30: closes at 00:00 on 2011-12-31; lasts 2 h, not 4 h",
        ),
    ],
)
def test_a_window_opens_and_closes_by_the_clock_on_the_wall(
    timezone: str, day: str, span: str, expected: str, remark: str
) -> None:
    """Each kind of night has its instants, and says in words what is unusual about it."""
    found = on(day, span, site(timezone))
    assert (utc_span(found), found.remark) == (expected, remark)


@pytest.mark.fault(44)
def test_a_day_that_a_zone_does_not_have_has_no_window() -> None:
    """Samoa had no 30 December 2011: neither that day's window nor a second one the next day."""
    found = occurrences("nightly", window("01:00-05:00"), site("Pacific/Apia"), at("2011-12-29"), at("2012-01-01"))
    assert [str(each.day) for each in found] == ["2011-12-29", "2011-12-31", "2012-01-01"]
    assert closed_because(dt.date(2011, 12, 30), site("Pacific/Apia")) == "2011-12-30 does not exist in Pacific/Apia"


def test_a_day_without_a_noon_is_still_a_day() -> None:
    """In Juba the clocks went from 12:00 to 13:00 on 15 January 2000; that is no reason to lose the night."""
    assert closed_because(dt.date(2000, 1, 15), site("Africa/Juba")) == ""


@pytest.mark.fault(44)
def test_a_window_belongs_to_the_day_on_which_it_opens() -> None:
    """Friday 22:00 to 02:00 is Friday's: it is open on Saturday at 01:00, and not on Friday at 01:00."""
    friday = {"weekend": window("22:00-02:00", Day.FRIDAY)}
    assert open_now(friday, site("UTC"), at("2026-06-05T01:00")) == {}
    (found,) = open_now(friday, site("UTC"), at("2026-06-06T01:00")).values()
    assert (found.day.isoformat(), found.window) == ("2026-06-05", "weekend")


def test_a_window_is_open_when_it_opens_and_no_longer_when_it_closes() -> None:
    """The bounds are opens ≤ t < closes, to the microsecond."""
    nightly = {"nightly": window("22:00-05:00")}
    inside = (at("2026-06-05T22:00"), at("2026-06-06T04:59:59.999999"))
    outside = (at("2026-06-05T21:59:59.999999"), at("2026-06-06T05:00"))
    assert all(open_now(nightly, site("UTC"), now) for now in inside)
    assert not any(open_now(nightly, site("UTC"), now) for now in outside)


@pytest.mark.fault(44)
def test_a_window_that_opened_before_midnight_was_set_back_is_found() -> None:
    """In St John's the clocks went from 00:01 back to 23:01: Sunday's window is open while it is Saturday again."""
    now = dt.datetime(2010, 11, 6, 23, 30, fold=1, tzinfo=ZoneInfo("America/St_Johns"))
    (found,) = open_now({"sunday": window("00:00-04:00", Day.SUNDAY)}, site("America/St_Johns"), now).values()
    assert found.day == dt.date(2010, 11, 7)


WORKDAYS = (Day.MONDAY, Day.TUESDAY, Day.WEDNESDAY, Day.THURSDAY, Day.FRIDAY)
CONGRESS = Blackout.model_validate({"from": dt.date(2026, 6, 5), "to": dt.date(2026, 6, 5), "why": "congress"})


@pytest.mark.parametrize(
    ("where", "given", "now", "expected"),
    [
        # Thursday's, of which Friday's ends at Saturday's first moment; then the last day before a gap.
        (site("UTC"), window("00:00-00:00", *WORKDAYS), "2026-06-04T23:59", "04T00:00/06T00:00"),
        (site("UTC"), window("00:00-00:00", *WORKDAYS), "2026-06-05T23:59", "05T00:00/06T00:00"),
        (site("UTC"), window("06:00-06:00", Day.MONDAY, Day.TUESDAY), "2026-06-01T06:00", "01T06:00/03T06:00"),
        # A minute's gap; a closed day between two.
        (site("UTC"), window("00:00-23:59"), "2026-06-04T23:58", "04T00:00/04T23:59"),
        (site("UTC"), window("00:01-00:00"), "2026-06-04T23:59", "04T00:01/05T00:00"),
        (site("UTC", blackouts=(CONGRESS,)), window("00:00-00:00"), "2026-06-04T23:59", "04T00:00/05T00:00"),
        (site(holidays="FR"), window("00:00-00:00"), "2026-07-12T12:00", "11T22:00/13T22:00"),
        # An ordinary night is never joined to the next one.
        (site(), window("22:00-05:00"), "2026-06-04T23:59", "04T20:00/05T03:00"),
        # Always open, in ordinary weeks and in those in which clocks are set.
        (site("UTC"), window("00:00-00:00"), "2026-06-04T00:00", "04T00:00/11T00:00"),
        (site(), window("00:00-00:00"), "2026-03-28T22:30", "27T23:00/04T22:00"),
        (site(), window("00:00-00:00"), "2026-10-24T21:59", "23T22:00/30T23:00"),
        # The half hour between two nights is skipped with the clocks of 29 March, and is there on 25 October.
        (site(), window("02:30-02:00"), "2026-03-29T00:59", "28T01:30/30T00:00"),
        (site(), window("02:30-02:00"), "2026-10-24T23:59", "24T00:30/25T00:00"),
        # A day that the date line swallowed parts nobody.
        (site("Pacific/Apia"), window("00:00-00:00"), "2011-12-30T09:59", "29T10:00/05T10:00"),
    ],
)
def test_an_open_window_closes_when_no_opening_follows_at_once(
    where: Site, given: Window, now: str, expected: str
) -> None:
    """Openings that touch have one end, at most about a week on; a gap of a minute or a closed day parts them."""
    (found,) = open_now({"w": given}, where, at(now)).values()
    assert utc_span(found) == expected


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "Pacific/Auckland"])
def test_a_day_that_is_open_whole_has_time_left_at_each_of_its_hours(zone: str) -> None:
    """What may take a day is begun at any minute, also at midnight, of a window that is open every day."""
    always, start = {"always": window("00:00-00:00")}, at("2026-11-24T00:00")
    moments = [start + dt.timedelta(minutes=each) for each in range(0, 1441, 15)]
    moments += [each - dt.timedelta.resolution for each in moments]
    left = [open_now(always, site(zone), each)["always"].closes - each for each in moments]
    assert min(left) >= dt.timedelta(days=6)


def test_openings_that_touch_are_listed_awaited_and_missed_one_by_one() -> None:
    """How many nights a period has, when the next one begins and which were missed is not changed by their touching."""
    always, where = window("00:00-00:00"), site("UTC")
    found = list(occurrences("w", always, where, at("2026-06-01T00:00"), at("2026-06-04T00:00")))
    assert [utc_span(each) for each in found] == ["01T00:00/02T00:00", "02T00:00/03T00:00", "03T00:00/04T00:00"]
    assert next_opening({"w": always}, where, at("2026-06-01T12:00")) == found[1]
    assert missed({"w": always}, where, at("2026-06-01T12:00"), at("2026-06-03T12:00")) == (found[1],)


def test_a_closed_day_has_no_opening_but_the_night_before_ends_as_usual() -> None:
    """A holiday suppresses the window that opens on it, not the one that closes on it."""
    found = occurrences("n", window("22:00-05:00"), site(holidays="FR"), at("2026-07-13T12:00"), at("2026-07-16T00:00"))
    assert [str(each.day) for each in found] == ["2026-07-13", "2026-07-15"]


def test_a_closed_day_says_why() -> None:
    """Blackouts, both days included, and holidays of a country or a region are told apart from ordinary days."""
    congress = Blackout.model_validate({"from": dt.date(2026, 11, 29), "to": dt.date(2026, 12, 3), "why": "congress"})
    where = site(holidays="DE-BY", blackouts=(congress,))
    told = [closed_because(dt.date(2026, month, day), where) for month, day in ((11, 28), (11, 29), (12, 3), (12, 4))]
    assert told == ["", "blackout: congress", "blackout: congress", ""]
    assert closed_because(dt.date(2026, 1, 6), where) == "public holiday: Epiphany (DE-BY)"
    assert closed_because(dt.date(2026, 1, 6), site(holidays="DE")) == ""


@pytest.mark.parametrize("code", ["XX", "DE-XX", "fr", "holidays"])
def test_holidays_that_nobody_knows_are_an_error(code: str) -> None:
    """A mistyped country must not mean "no holidays"."""
    with pytest.raises(UsageError, match="no public holidays are known for"):
        closed_because(dt.date(2026, 7, 14), site(holidays=code))


def test_the_next_opening_is_the_earliest_of_all_windows() -> None:
    """It is later than now, even while another opening is still going on."""
    windows = {"nightly": window("22:00-05:00"), "noon": window("12:00-13:00", Day.WEDNESDAY)}
    opening = next_opening(windows, site("UTC"), at("2026-06-02T22:00"))
    assert opening is not None
    assert (opening.window, opening.opens) == ("noon", at("2026-06-03T12:00"))


def test_no_opening_is_found_when_every_day_is_closed() -> None:
    """A blackout of years is answered with nothing rather than searched for ever."""
    forever = Blackout.model_validate({"from": dt.date(2000, 1, 1), "to": dt.date(2099, 1, 1), "why": "moved"})
    where = site(blackouts=(forever,))
    assert next_opening({"nightly": window("22:00-05:00")}, where, at("2026-06-02T22:00")) is None


def test_missed_is_what_opened_and_closed_unseen() -> None:
    """Neither the opening that the last run worked in nor the one that is still open was missed."""
    nightly = {"nightly": window("22:00-05:00")}
    found = missed(nightly, site("UTC"), at("2026-06-01T22:00:30"), at("2026-06-05T01:00"))
    assert [str(each.day) for each in found] == ["2026-06-02", "2026-06-03"]
    assert len(missed(nightly, site("UTC"), at("2026-06-02T22:00"), at("2026-06-03T05:00"))) == 1


def test_missed_looks_back_a_month_and_not_before_the_first_run() -> None:
    """A controller that was off for a year reports 31 days; one that never ran, or whose clock went back, nothing."""
    daily = {"daily": window("01:00-02:00")}
    now = at("2026-06-05T12:00")
    assert len(missed(daily, site("UTC"), at("2025-06-05T12:00"), now)) == 31
    assert missed(daily, site("UTC"), None, now) == ()
    assert missed(daily, site("UTC"), now + dt.timedelta(days=2), now) == ()


def test_missed_is_sorted_over_all_windows() -> None:
    """The log records what was missed in the order in which it would have happened."""
    windows = {"late": window("03:00-04:00"), "early": window("01:00-02:00")}
    found = missed(windows, site("UTC"), at("2026-06-01T00:00"), at("2026-06-03T00:00"))
    assert [each.window for each in found] == ["early", "late", "early", "late"]


def test_a_time_without_a_zone_is_refused() -> None:
    """It would silently be taken in the zone of whatever machine runs this."""
    with pytest.raises(ValueError, match="not an instant"):
        open_now({"nightly": window("22:00-05:00")}, site(), dt.datetime(2026, 6, 1))  # noqa: DTZ001 (the point of the test)
