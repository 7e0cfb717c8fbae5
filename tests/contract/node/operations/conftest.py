"""A node whose program has one more, as a third party would add it, that takes as long as a test wants."""

from collections.abc import Iterator
from importlib.resources import files

import pytest

from maintainer.links.node_program import zipapp_bytes
from tests.contract.node.own_node import OwnNode
from tests.contract.node.slow_program import TEXT, Slow, slow


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The program with one more, as a third party would add it."""
    folder = tmp_path_factory.mktemp("third-party")
    (folder / "act_slow.py").write_text(TEXT)
    return zipapp_bytes([files("tasks.node"), folder])


@pytest.fixture
def work(own_node: OwnNode) -> Iterator[Slow]:
    with slow(own_node.base / "work") as one:
        yield one
