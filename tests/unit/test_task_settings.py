"""What a task's settings accept, beyond what their types already say."""

import pytest
from pydantic import ValidationError

from tasks.service_restart import RestartParams


@pytest.mark.parametrize("rule", ["FREQ=MONTHLY;BYDAY=1SU", "FREQ=WEEKLY;INTERVAL=2", "FREQ=DAILY"])
def test_a_rule_of_days_is_a_schedule(rule: str) -> None:
    """Rules as calendars write them are accepted as they stand."""
    assert RestartParams(window="night", schedule=rule).schedule == rule


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "every sunday",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=00",
        "DTSTART:20260101",
        "FREQ=SECONDLY",
        "FREQ=DAILY;BYDAY=XX",
    ],
)
def test_what_is_not_a_rule_of_days_is_refused_in_plain_words(rule: str) -> None:
    """A rule that would never end, or is none, gives one sentence with an example."""
    with pytest.raises(ValidationError, match="an RFC 5545 rule such as"):
        RestartParams(window="night", schedule=rule)
