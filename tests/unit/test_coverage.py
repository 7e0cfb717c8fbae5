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
    assert found.complete == NOW + dt.timedelta(days=3, hours=4)
    assert coverage(Store(10**15, [], 10**6), MONTH, HOUR, nightly(), NOW).complete is None


@pytest.mark.parametrize("speed", [None, 10**6])
def test_what_was_all_read_within_the_period_is_complete_now(speed: int | None) -> None:
    """Whether a speed is known or not."""
    assert coverage(Store(0, [Age(TODAY - 20, 5 * GB)], speed), MONTH, HOUR, nightly(), NOW).complete == NOW
    assert coverage(Store(0, [], speed), MONTH, HOUR, nightly(), NOW).complete == NOW


def test_what_is_overdue_is_read_again_before_all_is_complete() -> None:
    """Two nights for what is overdue; what comes due meanwhile counts as well."""
    overdue, soon, young = Age(TODAY - 40, 4 * GB), Age(TODAY - 28, 4 * GB), Age(TODAY - 1, 4 * GB)
    assert coverage(Store(0, [overdue], None), MONTH, HOUR, nightly(), NOW).complete is None
    for ages, nights in (([overdue, young], 2), ([overdue, soon, young], 4), ([soon, young], 0)):
        found = coverage(Store(0, ages, 10**6), MONTH, HOUR, nightly(), NOW)
        assert found.complete == NOW + (dt.timedelta(days=nights - 1, hours=4) if nights else dt.timedelta(0))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 10**11)), max_size=20),
    st.integers(0, 10**11),
    st.integers(1, 10**8),
)
def test_the_prediction_comes_true(found: list[tuple[int, int]], fresh: int, speed: int) -> None:
    """Read as much as there is time for each night, the fresh first: it is complete at that night's end, not before."""
    store = Store(fresh, [Age(TODAY - days, size) for days, size in found], speed)
    predicted = coverage(store, MONTH, HOUR, nightly(), NOW).complete
    unread, queue = fresh, [[age.day, age.bytes] for age in sorted(store.ages)]
    ends = [NOW, *(one.closes for one in nightly())]
    for at in ends:
        left = 0 if at == NOW else speed * 2520  # 70 % of an hour, in seconds
        read = min(left, unread)
        unread, left = unread - read, left - read
        for item in queue:
            again = min(left, item[1]) if item[0] < TODAY + 1 else 0
            item[1], left = item[1] - again, left - again
        overdue = [day for day, size in queue if size and dt.datetime.fromtimestamp(day * 86400, dt.UTC) + MONTH <= at]
        if not unread and not overdue:
            assert predicted == at
            return
    assert predicted is None


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
