"""How much of a store is due tonight: nothing is ever late, and no night carries another's load."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintainer.planning.coverage import Age, Opening, Store, coverage

NOW = dt.datetime(2026, 11, 24, 22, 0, tzinfo=dt.UTC)
TODAY = (NOW - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).days
MONTH, HOUR = dt.timedelta(days=30), dt.timedelta(hours=1)
GB = 10**9


def nightly(now: dt.datetime = NOW, count: int = 30) -> list[Opening]:
    starts = (now + dt.timedelta(days=number) for number in range(count))
    return [Opening(opens=start, closes=start + 4 * HOUR) for start in starts]


def test_what_is_fresh_is_read_tonight() -> None:
    """A new store is read at once, and what arrived since yesterday too."""
    found = coverage(Store(5 * GB, [], None), MONTH, HOUR, nightly(), NOW)
    assert (found.tonight, found.share, found.oldest, found.keeps) == (5 * GB, 0.0, None, None)


def test_a_store_read_in_one_night_is_spread_over_the_next_thirty() -> None:
    """A thirtieth each night, from the first one on."""
    found = coverage(Store(0, [Age(TODAY - 1, 300 * GB)], None), MONTH, HOUR, nightly(), NOW)
    assert found.tonight == 11 * GB  # 29 nights are left
    assert (found.share, str(found.oldest)) == (1.0, "2026-11-23")


def test_what_is_overdue_is_due_at_once() -> None:
    """What should have been read again by now waits for no other night."""
    found = coverage(Store(0, [Age(TODAY - 40, 7 * GB)], None), MONTH, HOUR, nightly(), NOW)
    assert (found.tonight, found.share) == (7 * GB, 0.0)


@pytest.mark.parametrize(("speed", "keeps"), [(100 * 10**6, True), (10**6, False)])
def test_whether_the_period_can_be_kept(speed: int, keeps: bool) -> None:  # noqa: FBT001 (a parameter of a test)
    """At this speed, in so many hours a night, it can or cannot; the rate that it takes is told."""
    found = coverage(Store(0, [Age(TODAY - 1, 3000 * GB)], speed), MONTH, 2 * HOUR, nightly(), NOW)
    assert found.keeps is keeps
    assert found.rate_needed == 21_000_000  # 3 TB in 29 nights, 70 % of two hours each


def test_when_every_object_will_have_been_read() -> None:
    """At 1 MB a second and 70 % of an hour a night, 10 GB take four nights."""
    found = coverage(Store(10 * GB, [], 10**6), MONTH, HOUR, nightly(), NOW)
    assert found.complete == NOW + dt.timedelta(days=3)
    assert coverage(Store(10**15, [], 10**6), MONTH, HOUR, nightly(), NOW).complete is None


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 10**12)), max_size=40))
def test_nothing_is_ever_late(found: list[tuple[int, int]]) -> None:
    """Night after night, with the quota read and the oldest first, no object is read later than its period allows."""
    ages = {TODAY - 1 - days: 0 for days, _ in found}
    for days, size in found:
        ages[TODAY - 1 - days] += size
    now = NOW
    for night in range(35):
        today = TODAY + night
        left = coverage(Store(0, [Age(*one) for one in ages.items()], None), MONTH, HOUR, nightly(now), now).tonight
        for day in sorted(ages):
            read = min(left, ages[day])
            left, ages[day], ages[today] = left - read, ages[day] - read, ages.get(today, 0) + read
        ages = {day: size for day, size in ages.items() if size}
        now += dt.timedelta(days=1)
        assert all(day + 30 > today for day in ages)
