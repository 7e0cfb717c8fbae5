"""A fresh node for each test, and one build of the program for all."""

from importlib.resources import files
from pathlib import Path

import pytest

from maintainer.links.node_program import zipapp_bytes
from tests.contract.node.own_node import OwnNode, hold


@pytest.fixture(scope="session")
def zipapp() -> bytes:
    return zipapp_bytes([files("tasks.node")])


@pytest.fixture
def own_node(tmp_path: Path, zipapp: bytes) -> OwnNode:
    node = OwnNode(tmp_path, {"services": {}, "roots": {}, "store": None, "not_objects": ["*.tmp"]}, zipapp)
    node.spool.mkdir()
    node.store.mkdir()
    node.policy["roots"]["spool"] = node.root()
    node.policy["store"] = str(node.store)
    hold(node.state)
    return node
