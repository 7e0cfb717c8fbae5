"""The node program under Pythons as old as those of nodes that nobody has updated for years."""

import base64
import hashlib
import os
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from maintainer.links.node_program import NodeProgram, zipapp_bytes
from tests.contract.node.own_node import OwnNode, hold
from tests.lab.old_python import KINDS, Kind, in_old_debian, why_no_old_python

pytestmark = pytest.mark.timeout(300, func_only=True)

TIME = timedelta(seconds=60)
VERSION = {"pypy-3.7": "3.7.", "cpython-3.9": "3.9."}
PATH = {"pypy-3.7": "PATH=/pypy:/usr/bin:/bin", "cpython-3.9": "PATH=/usr/bin:/bin"}


@pytest.fixture(params=KINDS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Kind, OwnNode]:
    """A node of one's own whose python3 is an old one."""
    if why := why_no_old_python():
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    kind: Kind = request.param
    policy: dict[str, Any] = {"services": {}, "roots": {}, "store": str(tmp_path / "store"), "not_objects": []}
    prefix = tuple(in_old_debian("env", PATH[kind]))
    node = OwnNode(tmp_path, policy, zipapp_bytes([files("tasks.node")]), prefix=prefix)
    node.spool.mkdir()
    node.store.mkdir()
    node.policy["roots"]["spool"] = node.root()
    hold(node.state)
    return kind, node


def test_says_which_python_it_runs_on(old: tuple[Kind, OwnNode]) -> None:
    """It is the old one that answers, not this machine's."""
    kind, node = old
    hello: Any = _program(node).observe("hello", {}, TIME)
    assert hello["python"].startswith(VERSION[kind])


def test_cleans_a_spool(old: tuple[Kind, OwnNode]) -> None:
    """Old files are seen, set aside and deleted; a young one stays."""
    _, node = old
    node.old("old.part", b"content")
    young = node.old("young.part", age=1)
    program = _program(node)
    seen: Any = program.observe("cleanup", {}, TIME)
    assert (seen["spool"]["files"], seen["spool"]["problem"]) == (1, "")
    moved: Any = program.act("quarantine", {"root": "spool"}, TIME)
    assert (moved["moved_files"], moved["moved_bytes"]) == (1, 7)
    node.policy["roots"]["spool"]["keep_quarantined_seconds"] = 0
    deleted: Any = _program(node).act("expire", {"root": "spool"}, TIME)
    assert deleted["deleted_files"] == 1
    assert young.exists()


def test_verifies_a_store(old: tuple[Kind, OwnNode]) -> None:
    """A real image is sound by digest and header, a changed one is not, and every file is listed."""
    _, node = old
    image = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()
    (node.store / "sound").write_bytes(image)
    (node.store / "changed").write_bytes(image[:-1] + b"\xff")
    digest = hashlib.md5(image, usedforsecurity=False).hexdigest()
    program = _program(node)
    rows: Any = [[key, path, len(image), "md5", digest, "dicom"] for key, path in enumerate(("sound", "changed"))]
    verified: Any = program.observe("store-verify", {"objects": rows}, TIME)
    assert (verified["checked"], [d[:2] for d in verified["deviations"]]) == (2, [[1, "digest"]])
    listed: Any = program.observe("store-list", {"after": "", "limit": 10, "grace_seconds": 0}, TIME)
    assert listed["files"] == ["changed", "sound"]
    header: Any = program.observe("store-header", {"path": "sound", "limit": 132}, TIME)
    assert base64.b64decode(header["bytes_base64"]) == image[:132]


def test_keeps_a_ledger(old: tuple[Kind, OwnNode]) -> None:
    """A night is learnt, read and sealed, and looking again finds the same root."""
    _, node = old
    image = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()
    (node.store / "sound").write_bytes(image)
    digest = hashlib.md5(image, usedforsecurity=False).hexdigest()
    program, night = _program(node), "2026-11-24T22:00:00+00:00"
    learn: Any = {"night": night, "after": 0, "through": 1, "lost_share": 0.01}
    program.act("store-learn", {**learn, "objects": [[1, "sound", len(image), "md5", digest, "dicom", None]]}, TIME)
    limits: Any = {"bytes": None, "rate": None, "threads": 2, "walk": True, "grace_seconds": 0, "lost_share": 0.01}
    read: Any = program.act("store-read", limits, TIME)
    assert (read["stopped"], read["objects"], read["proof"]) == ("nothing-left", 1, [])
    sealed: Any = program.act("store-seal", {"night": night, "lost": "", "compared": None}, TIME)
    seen: Any = program.observe("store-ledger", {}, TIME)
    assert (seen["ledger"]["root"], seen["ledger"]["verified"]["archive"]) == (sealed["root"], 1)


def _program(node: OwnNode) -> NodeProgram:
    return node.program("python3")
