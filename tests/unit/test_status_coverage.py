"""What the status says of a store's coverage: every word that a person asks for."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from maintainer.cli import status
from maintainer.planning.covered import Covered
from maintainer.running.standing import StoreCoverage

SAID: Any = status._store
COVERED = Covered(
    within=timedelta(days=30),
    share=0.4,
    oldest=date(2026, 10, 1),
    complete=datetime(2026, 12, 3, 5, tzinfo=UTC),
    keeps=True,
    rate_needed=21_000_000,
)
RATE = "it takes 21.0 MB/s in each window"


def said(**changed: Any) -> list[str]:
    covered = COVERED.model_copy(update=changed)
    return list(SAID(StoreCoverage(node="a", as_of="2026-11-24T01:02:03Z", coverage=covered)))


def test_share_oldest_reading_and_date() -> None:
    """Read in the period, since when the oldest is, by when it will be all."""
    assert said()[:5] == ["a", "2026-11-24T01:02", "40% within 30d", "2026-10-01", "2026-12-03"]
    assert said(share=1.0)[4] == "already"
    assert said(complete=None, keeps=False)[4] == "never"
    assert said(complete=None, keeps=None, oldest=None)[3:5] == ["", ""]


@pytest.mark.parametrize(
    ("keeps", "words"),
    [(True, "can be kept: "), (False, "cannot be kept: "), (None, "no speed was measured yet; ")],
)
def test_whether_the_deadline_can_be_kept_and_what_rate_would_keep_it(
    keeps: bool | None,  # noqa: FBT001 (a parameter of a test)
    words: str,
) -> None:
    """The rate is told in any case: whoever sets a limit wants to know it."""
    assert said(keeps=keeps)[5] == words + RATE
