"""What more than one folder of tests needs."""

from collections import Counter
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.practice_fixture import practice, shared_practice

__all__ = ["practice", "shared_practice"]

LAB, WITHOUT_NODES = "tests/lab", "tests/lab/test_lab_old_python.py"
SHARING = (WITHOUT_NODES, "tests/e2e/", "tests/contract/")


def scope(nodeid: str) -> str:
    """Name the tests that go to one worker, as they share what starts slowly: a module its PACS, the lab its nodes."""
    file = nodeid.partition("::")[0]
    if file.startswith(SHARING):
        return file
    return LAB if file.startswith(LAB) else nodeid


class SharersTogether(LoadScopeScheduling):
    """Lends work to the workers in the order of collection, one scope after another."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharersTogether:
    # The mark xdist_group would say the same, but pytest-xdist 3.8 loses it under pytest 9.2.
    config.option.loadscopereorder = False
    return SharersTogether(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the lab first, as it takes one worker the longest, then what takes one worker longer than others."""
    sizes = Counter(scope(item.nodeid) for item in items)
    items.sort(key=lambda item: (scope(item.nodeid) != LAB, -sizes[scope(item.nodeid)]))
