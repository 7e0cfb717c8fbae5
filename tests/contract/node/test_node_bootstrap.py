"""The program really runs, on every Python that a node may have, and leaves nothing."""

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost
from maintainer.links.node_program import BOOTSTRAP, NodeProgram
from tests.contract.node.own_node import OwnNode, interpreters, manifest, run_with

TIME = timedelta(seconds=30)


@pytest.mark.parametrize("python", interpreters())
def test_says_hello(own_node: OwnNode, python: str) -> None:
    """Whatever Python the node has, hello names the machine, its clock and what its folders lie on."""
    hello = own_node.program(python).observe("hello", {}, TIME)
    assert isinstance(hello, dict)
    assert hello["hostname"] == os.uname().nodename
    assert abs(datetime.now(UTC) - datetime.fromisoformat(str(hello["clock"]))) < timedelta(seconds=10)
    (mount,) = hello["mounts"] if isinstance(hello["mounts"], list) else ()
    assert isinstance(mount, dict)
    assert mount["holds"] == ["root spool", "store"]
    room = os.statvfs(own_node.spool)
    assert mount["total_bytes"] == room.f_blocks * room.f_frsize


@pytest.mark.parametrize("python", interpreters())
def test_every_program_runs(own_node: OwnNode, python: str) -> None:
    """No program uses what the oldest Python does not have."""
    own_node.old("a.log")
    (own_node.store / "image").write_bytes(b"\0" * 200)
    program: Any = own_node.program(python)
    asked: dict[str, dict[str, Any]] = {
        "services": {},
        "cleanup": {},
        "store-list": {"after": "", "limit": 5, "grace_seconds": 0},
        "store-header": {"path": "image", "limit": 4},
        "store-verify": {"objects": [[1, "image", 200, "md5", "0" * 32]]},
    }
    answers = {name: program.observe(name, request, TIME) for name, request in asked.items()}
    assert answers["store-header"] == {"bytes_base64": "AAAAAA=="}
    assert answers["store-verify"]["deviations"][0][1] == "digest"
    assert program.act("quarantine", {"root": "spool"}, TIME)["moved_files"] == 1
    own_node.policy["roots"]["spool"]["keep_quarantined_seconds"] = 0
    assert program.act("expire", {"root": "spool"}, TIME)["deleted_files"] == 1


def test_leaves_nothing_behind(own_node: OwnNode) -> None:
    """After an observation no file has come, gone or changed, also not in the folder for temporary files."""
    own_node.how["env"] = {"PATH": os.environ["PATH"], "TMPDIR": str(own_node.base), "HOME": str(own_node.base)}
    own_node.old("a.log")
    before = manifest(own_node.base)
    for program in ("hello", "services", "cleanup"):
        own_node.observe(program)
    assert manifest(own_node.base) == before


def test_without_memfd(own_node: OwnNode) -> None:
    """Where the kernel has no anonymous files, an unlinked temporary file serves."""
    own_node.how["env"] = {"PATH": os.environ["PATH"], "TMPDIR": str(own_node.base)}
    before = manifest(own_node.base)
    without = BOOTSTRAP.replace("os.memfd_create", "os.no_memfd_create")
    assert without != BOOTSTRAP
    link = run_with(sys.executable, **own_node.how)
    program = NodeProgram("pacs-a", lambda _, stdin, time: link(without, stdin, time), own_node.policy, own_node.zipapp)
    assert isinstance(program.observe("hello", {}, TIME), dict)
    assert manifest(own_node.base) == before


def test_command_line_suits_any_login_shell() -> None:
    """The one line holds nothing that a shell reads as its own within single quotes."""
    assert BOOTSTRAP.count("'") == 2
    assert not set("\n!`") & set(BOOTSTRAP)


def test_observing_never_reaches_an_acting_program(own_node: OwnNode) -> None:
    """An observe request for an acting program is refused, and so is the reverse."""
    own_node.old("a.log")
    before = manifest(own_node.base)
    with pytest.raises(CouldNotLook, match="there is no program quarantine to observe"):
        own_node.observe("quarantine", root="spool")
    with pytest.raises(ActionFailed, match="there is no program cleanup to act"):
        own_node.act("cleanup")
    assert manifest(own_node.base) == before


def test_no_python_on_the_node(own_node: OwnNode) -> None:
    """A node without python3 says so in a sentence, and an action there has surely not begun."""
    program = own_node.program("no-such-python3")
    with pytest.raises(CouldNotLook, match="there is no python3 on the node"):
        program.observe("hello", {}, TIME)
    with pytest.raises(ActionFailed, match="there is no python3 on the node"):
        program.act("quarantine", {"root": "spool"}, TIME)


def test_old_python_on_the_node(own_node: OwnNode) -> None:
    """A Python before 3.6 gets no further than saying which it is."""
    older = BOOTSTRAP.replace("(3, 6)", "(9, 9)")
    link = run_with(sys.executable)
    program = NodeProgram("pacs-a", lambda _, stdin, time: link(older, stdin, time), own_node.policy, own_node.zipapp)
    with pytest.raises(CouldNotLook, match=r"python3 is 3\.\d+ here, and 3.6 is needed"):
        program.observe("hello", {}, TIME)


def test_chatty_login_shell(own_node: OwnNode) -> None:
    """When the login shell prints a greeting the sentence says where to look."""
    link = run_with(sys.executable)
    program = NodeProgram(
        "pacs-a",
        lambda command, stdin, time: link("echo Welcome; " + command, stdin, time),
        own_node.policy,
        own_node.zipapp,
    )
    with pytest.raises(CouldNotLook, match="something else wrote to its output") as caught:
        program.observe("hello", {}, TIME)
    assert "login shell" in caught.value.hint
    with pytest.raises(LinkLost):
        program.act("quarantine", {"root": "spool"}, TIME)


def test_deadline_is_kept_on_the_node(own_node: OwnNode) -> None:
    """A program that would go on is stopped by the node itself, and says so in time."""
    own_node.policy["services"]["slow"] = {
        "start": ["/bin/true"],
        "stop": ["/bin/true"],
        "status": ["/bin/sleep", "60"],
        "pid_file": str(own_node.base / "pid"),
        "timeout_seconds": 60,
    }
    began = datetime.now(UTC)
    seen = own_node.observe("services", seconds=3)
    assert "did not end within" in seen["slow"]["detail"]
    assert datetime.now(UTC) - began < timedelta(seconds=15)


def test_policy_is_checked_on_the_node(own_node: OwnNode) -> None:
    """A root that covers the store is refused by the node, whoever wrote the policy."""
    own_node.policy["roots"]["spool"]["path"] = str(own_node.store / "aa")
    with pytest.raises(ActionFailed, match="overlap") as caught:
        own_node.act("quarantine", root="spool")
    assert caught.value.where == "pacs-a"
