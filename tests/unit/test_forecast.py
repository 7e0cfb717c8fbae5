"""How long a step is expected to take."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.model.action import Sql
from maintainer.model.plan import Risk, Step
from maintainer.planning.forecast import predicted

STEP = Step(
    subject="public.study",
    title="vacuum public.study",
    reason="dead rows",
    action=Sql(text="VACUUM public.study"),
    risk=Risk.SLOWER,
    timeout=dt.timedelta(hours=1),
)


def minutes(*values: int) -> list[dt.timedelta]:
    return [dt.timedelta(minutes=value) for value in values]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (minutes(), 60),
        (minutes(1, 1, 1, 1), 60),
        (minutes(1, 1, 1, 1, 1), 1),
        (minutes(9, 1, 1, 1, 1, 1), 9),
        (minutes(99, *[5] * 18, 1), 5),  # rank 19 of 20: one night in twenty may be left out
        (minutes(*[5] * 19, 99), 99),  # but not when it was one of the last three
        (minutes(*range(1, 101)), 100),
        (minutes(*range(100, 0, -1)), 95),
    ],
)
def test_a_step_takes_as_long_as_it_took(history: list[dt.timedelta], expected: int) -> None:
    """The 95th percentile by nearest rank, the last three nights, or, with little history, the timeout."""
    assert predicted(STEP, history) == dt.timedelta(minutes=expected)


@given(st.lists(st.timedeltas(dt.timedelta(0), dt.timedelta(days=1)), min_size=5, max_size=60))
def test_a_prediction_was_really_seen_and_is_rarely_exceeded(history: list[dt.timedelta]) -> None:
    """At most one entry in twenty is longer, and none of the last three."""
    expected = predicted(STEP, history)
    assert expected in history
    assert sum(entry > expected for entry in history) * 20 <= len(history)
    assert max(history[-3:]) <= expected
