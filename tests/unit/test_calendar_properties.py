"""What holds for every window in every zone, in ordinary nights and in those in which clocks are set."""

import datetime as dt
import zoneinfo
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from maintainer.model.inventory import Site
from maintainer.model.window import Day, Occurrence, Window
from maintainer.planning.calendar import JOINED_WITHIN, occurrences, open_now, opens_on
from maintainer.planning.closures import closed_because

# Legacy names, and "right/" zones that count leap seconds, are not for inventories.
ZONES = sorted(z for z in zoneinfo.available_timezones() if "/" in z and not z.startswith(("right/", "posix/", "Etc/")))
DAYS = tuple(Day)


@cache
def changes(zone: str) -> tuple[dt.datetime, ...]:
    """Return a noon within three days after each change of the zone's offset, 1970 to 2037; any noon if none."""
    noons = [dt.datetime(1970, 1, 1, 12, tzinfo=dt.UTC) + dt.timedelta(days=n) for n in range(0, 24836, 3)]
    offsets = [noon.astimezone(ZoneInfo(zone)).utcoffset() for noon in noons]
    steps = zip(noons[1:], pairwise(offsets), strict=True)
    return tuple(noon for noon, (before, after) in steps if before != after) or (noons[-1],)


@st.composite
def nights(draw: st.DrawFn) -> tuple[str, Window, dt.datetime]:
    """Draw a zone, a window, and a moment that is most often near a change of the zone's clocks."""
    zone = draw(st.sampled_from(ZONES))
    quarter = st.integers(0, 95).map(lambda n: dt.time(n // 4, n % 4 * 15))
    near_night = st.integers(0, 20).map(lambda n: dt.time(n // 4, n % 4 * 15))
    days = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True).map(tuple) | st.just(DAYS))
    window = Window(opens=draw(near_night | quarter), closes=draw(near_night | quarter), days=days)
    return zone, window, draw(st.sampled_from(changes(zone)))


def around(zone: str, window: Window, moment: dt.datetime, days: int = 4) -> list[Occurrence]:
    span = dt.timedelta(days=days)
    return list(occurrences("w", window, Site(name="s", timezone=zone), moment - span, moment + span))


def nominal(window: Window) -> dt.timedelta:
    day = dt.date(2000, 1, 1)
    opens, closes = (dt.datetime.combine(day, time) for time in (window.opens, window.closes))
    return closes - opens if closes > opens else closes - opens + dt.timedelta(days=1)


def local(instant: dt.datetime, zone: str) -> dt.datetime:
    return instant.astimezone(ZoneInfo(zone))


fixed = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LORD_HOWE = (
    "Australia/Lord_Howe",
    Window(opens=dt.time(2, 15), closes=dt.time(2, 15)),
    dt.datetime(2026, 10, 4, tzinfo=dt.UTC),
)
ALWAYS = ("Europe/Paris", Window(opens=dt.time(), closes=dt.time()), dt.datetime(2026, 3, 29, 12, tzinfo=dt.UTC))
NEARLY = ("Europe/Paris", Window(opens=dt.time(2, 30), closes=dt.time(2)), dt.datetime(2026, 3, 29, tzinfo=dt.UTC))
APIA = ("Pacific/Apia", Window(opens=dt.time(22), closes=dt.time(22)), dt.datetime(2011, 12, 30, tzinfo=dt.UTC))


@fixed
@given(nights())
@example(LORD_HOWE)
@example(APIA)
def test_a_window_opens_before_it_closes_and_never_twice_at_once(night: tuple[str, Window, dt.datetime]) -> None:
    """No opening is empty, and none begins before the one before it has closed."""
    found = around(*night)
    assert all(each.opens < each.closes for each in found)
    assert all(one.closes <= other.opens for one, other in pairwise(found))


@pytest.mark.fault(44)
@fixed
@given(nights())
@example(APIA)
def test_every_day_that_exists_has_its_window_once(night: tuple[str, Window, dt.datetime]) -> None:
    """A night is neither lost nor doubled, on its days of the week and on no other."""
    zone, window, moment = night
    days = [each.day for each in around(*night)]
    middle = [local(moment, zone).date() + dt.timedelta(days=n) for n in range(-2, 3)]
    due = [d for d in middle if opens_on(window, d) and not closed_because(d, Site(name="s", timezone=zone))]
    assert [d for d in days if d in middle] == due
    assert all(DAYS[d.weekday()] in window.days for d in days)


@fixed
@given(nights())
@example(LORD_HOWE)
@example(APIA)
def test_an_opening_without_a_remark_is_an_ordinary_one(night: tuple[str, Window, dt.datetime]) -> None:
    """It opens on its day at the window's time, closes at the window's time and has its usual length."""
    zone, window, _ = night
    for each in (each for each in around(*night) if not each.remark):
        assert local(each.opens, zone).replace(tzinfo=None) == dt.datetime.combine(each.day, window.opens)
        assert local(each.closes, zone).time() == window.closes
        assert each.closes - each.opens == nominal(window)


@fixed
@given(nights())
@example(LORD_HOWE)
def test_only_a_night_in_which_clocks_are_set_has_a_remark(night: tuple[str, Window, dt.datetime]) -> None:
    """A remark means that the zone's offset changes within a day of the opening."""
    zone, _, _ = night
    for each in (each for each in around(*night) if each.remark):
        hours = [each.opens + dt.timedelta(hours=n) for n in range(-30, 54)]
        assert len({local(hour, zone).utcoffset() for hour in hours}) > 1


@fixed
@given(nights())
@example(LORD_HOWE)
@example(APIA)
def test_a_window_is_not_open_once_the_wall_shows_its_time_to_close(night: tuple[str, Window, dt.datetime]) -> None:
    """But for a window wholly inside a skipped hour, no open moment has a local time at or after `closes`."""
    zone, window, _ = night
    for each in around(*night):
        if "opens at" in each.remark and "closes at" in each.remark and each.closes - each.opens == nominal(window):
            continue
        last = dt.datetime.combine(each.day, window.opens) + nominal(window)
        parts = ((each.closes - each.opens) * part / 48 for part in range(48))
        assert all(local(each.opens + part, zone).replace(tzinfo=None) < last for part in parts)


@fixed
@given(nights(), st.integers(0, 8 * 24 * 4))
def test_what_is_open_now_is_what_the_calendar_lists(night: tuple[str, Window, dt.datetime], quarters: int) -> None:
    """Asking at a moment and listing a span are two readings of one calendar."""
    zone, window, moment = night
    now = moment - dt.timedelta(days=4) + dt.timedelta(minutes=15 * quarters)
    listed = [each for each in around(zone, window, moment, days=6) if each.is_open(now)]
    found = open_now({"w": window}, Site(name="s", timezone=zone), now).values()
    assert [(each.day, each.opens) for each in found] == [(each.day, each.opens) for each in listed]


@fixed
@given(nights(), st.integers(0, 8 * 24 * 4))
@example(ALWAYS, 0)
@example(NEARLY, 24 * 8)
def test_an_open_window_is_open_until_it_closes(night: tuple[str, Window, dt.datetime], quarters: int) -> None:
    """No moment before its end lies outside an opening; at its end none is open, or it has lasted for a week."""
    zone, window, moment = night
    site = Site(name="s", timezone=zone)
    now = moment - dt.timedelta(days=4) + dt.timedelta(minutes=15 * quarters)
    for found in open_now({"w": window}, site, now).values():
        openings = list(occurrences("w", window, site, found.opens, found.closes))
        assert (openings[0].opens, openings[-1].closes) == (found.opens, found.closes)
        assert all(one.closes == other.opens for one, other in pairwise(openings))
        assert not open_now({"w": window}, site, found.closes) or found.closes - found.opens >= JOINED_WITHIN
        assert found.closes - found.opens < JOINED_WITHIN + dt.timedelta(hours=26)
