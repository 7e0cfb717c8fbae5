"""A node whose program has one more, as a third party would add it, that takes as long as a test wants."""

from collections.abc import Iterator

import pytest

from tests.contract.node.own_node import OwnNode
from tests.contract.node.slow_program import Slow, slow, with_slow


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return with_slow(tmp_path_factory.mktemp("third-party"))


@pytest.fixture
def work(own_node: OwnNode) -> Iterator[Slow]:
    with slow(own_node.base / "work") as one:
        yield one
