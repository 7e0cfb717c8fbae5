"""What more than one folder of tests needs."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.practice_fixture import practice, shared_practice

__all__ = ["practice", "shared_practice"]


class LabTogether(LoadScopeScheduling):
    """Every test goes to whichever worker is free, but those of the lab to one, which boots its nodes once."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/lab" if nodeid.startswith("tests/lab/") else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LabTogether:
    # The mark xdist_group would say the same, but pytest-xdist 3.8 loses it under pytest 9.2.
    return LabTogether(config, log)
