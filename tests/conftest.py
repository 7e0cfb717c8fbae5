"""What more than one folder of tests needs."""

from collections import Counter
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.practice_fixture import practice, shared_practice

__all__ = ["practice", "shared_practice"]

LABS = ("tests/lab/test_faults_network", "tests/lab/test_faults_", "tests/lab/")
SHARING = ("tests/lab/test_lab_old_python.py", "tests/e2e/", "tests/contract/")


def scope(nodeid: str) -> str:
    """Name the tests that go to one worker, as they share what starts slowly: a module its PACS, the lab its nodes.

    There are three labs, as in each there is more waiting than work.
    """
    file = nodeid.partition("::")[0]
    if file.startswith(SHARING):
        return file
    return next((lab for lab in LABS if file.startswith(lab)), nodeid)


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
    """Put the labs first, which take their workers the longest, then what takes one worker longer than others.

    What is a scope of its own is quick: it comes last, so that no worker idles while another ends something long.
    """
    sizes = Counter(scope(item.nodeid) for item in items)

    def order(item: pytest.Item) -> tuple[bool, bool, int]:
        name = scope(item.nodeid)
        return name not in LABS, name == item.nodeid, -sizes[name]

    items.sort(key=order)
