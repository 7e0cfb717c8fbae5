"""What more than one folder of tests needs."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.practice_fixture import practice, shared_practice

__all__ = ["practice", "shared_practice"]


class SharersTogether(LoadScopeScheduling):
    """Tests that share what is slow to start go to one worker: a module with its PACS, the lab with its nodes."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith("tests/lab/"):
            return "tests/lab"
        return file if file.startswith(("tests/e2e/", "tests/contract/")) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharersTogether:
    # The mark xdist_group would say the same, but pytest-xdist 3.8 loses it under pytest 9.2.
    return SharersTogether(config, log)
