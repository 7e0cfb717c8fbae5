"""A prepared node keeps to its own policy, whatever a request brings, and says no when it cannot trust that policy."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost
from maintainer.links.completed import Completed
from maintainer.links.node_bundle import bundle
from maintainer.links.node_program import NodeProgram
from tests.contract.node.own_node import interpreters
from tests.contract.node.prepared import EMPTY, PreparedNode, prepare

TIME = timedelta(seconds=20)
UNIT = {"unit": "orthanc.service", "timeout_seconds": 60}
COMMANDS = {
    **{verb: ["/bin/true"] for verb in ("start", "stop", "status")},
    "pid_file": "/nowhere/pid",
    "timeout_seconds": 60,
}
ROOT = {
    "path": "/nowhere/spool",
    "patterns": ["*.tmp", "*.part"],
    "older_than_seconds": 86400,
    "age_by": "ctime",
    "keep_quarantined_seconds": 86400,
}


@pytest.fixture
def node(tmp_path: Path, zipapp: bytes) -> PreparedNode:
    return prepare(tmp_path, zipapp, services={"orthanc": UNIT}, roots={"spool": ROOT})


def hello(node: PreparedNode) -> Any:
    return node.ask().observe("hello", {}, TIME)


@pytest.mark.parametrize("python", interpreters())
def test_says_that_it_is_prepared_and_which_program_it_is(
    node: PreparedNode, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hello answers the digest of the file that ran, on every Python that a node may have."""
    monkeypatch.setattr(sys, "executable", python)
    answer = hello(node)
    assert answer["prepared"] is True
    assert answer["program_sha256"] == hashlib.sha256(node.program.read_bytes()).hexdigest()
    assert answer["outside"] == []


def test_a_sent_program_says_that_it_was_sent(own_node: Any) -> None:
    """Without an installation hello says so, and the digest is that of the bytes that were sent."""
    answer = own_node.observe("hello")
    assert answer["prepared"] is False
    sent = bundle(own_node.zipapp, ["hello"])
    assert answer["program_sha256"] == hashlib.sha256(sent).hexdigest()


def test_what_lies_within_its_policy_is_done(node: PreparedNode) -> None:
    """A narrower policy of a request is the one that counts."""
    node.asks |= {"roots": {"spool": {**ROOT, "patterns": ["*.tmp"], "older_than_seconds": 900000}}}
    assert hello(node)["outside"] == []
    assert node.ask().observe("services", {}, TIME) == {}


def test_a_request_without_a_policy_works_by_the_nodes_own(node: PreparedNode) -> None:
    """A person on the node can ask by hand: no policy means the node's."""
    node.write(services={"own": COMMANDS})
    node.asks = None  # type: ignore[assignment]  # (as a person would write it by hand)
    assert list(node.ask().observe("services", {}, TIME)) == ["own"]  # type: ignore[arg-type]  # (a mapping, by contract)


WIDER: list[tuple[dict[str, Any], str]] = [
    ({"services": {"postgres": {**UNIT, "unit": "postgresql.service"}}}, "this node's policy has no service postgres"),
    ({"services": {"orthanc": {**UNIT, "unit": "ssh.service"}}}, "unit of service orthanc is not as"),
    ({"services": {"orthanc": {**UNIT, "timeout_seconds": 61}}}, "timeout of service orthanc is not as"),
    ({"services": {"orthanc": COMMANDS}}, "the kind of service orthanc is not as"),
    ({"roots": {"logs": {**ROOT, "path": "/nowhere/logs"}}}, "this node's policy has no root logs"),
    ({"roots": {"spool": {**ROOT, "path": "/nowhere/else"}}}, "path of root spool is not as"),
    ({"roots": {"spool": {**ROOT, "patterns": ["*"]}}}, "patterns of root spool is not as"),
    ({"roots": {"spool": {**ROOT, "age_by": "mtime"}}}, "age_by of root spool is not as"),
    ({"roots": {"spool": {**ROOT, "older_than_seconds": 60}}}, "older_than of root spool is not as"),
    ({"roots": {"spool": {**ROOT, "keep_quarantined_seconds": 0}}}, "keep_quarantined of root spool is not as"),
    ({"store": "/nowhere/dicom"}, "this node's policy has no store /nowhere/dicom"),
    ({"mounts": ["/nowhere/mount"]}, "this node's policy has no mount point /nowhere/mount"),
    ({"may_reboot": True}, "this node's policy does not allow a reboot"),
    ({"watch": ["/nowhere/conf"]}, "this node's policy does not watch /nowhere/conf"),
]


@pytest.mark.parametrize(("asked", "why"), WIDER, ids=[why for _, why in WIDER])
def test_what_lies_outside_its_policy_is_named_and_refused(node: PreparedNode, asked: dict[str, Any], why: str) -> None:
    """Whatever a request would widen: hello names it in one sentence, and refuses an action on it by that sentence."""
    node.asks |= asked
    (sentence,) = hello(node)["outside"]
    assert sentence.startswith(why)
    for name in asked.get("services", {}):
        with pytest.raises(ActionFailed, match=why):
            node.ask().launch("step-1", "restart", {"services": [name], "stop_first": [name]}, 90)
    for name in asked.get("roots", {}):
        with pytest.raises(ActionFailed, match=why) as caught:
            node.ask().act("quarantine", {"root": name}, TIME)
        assert "node prepare" in caught.value.hint


def test_one_thing_outside_does_not_cost_the_others(node: PreparedNode) -> None:
    """A service that was added to the inventory only is refused; the others are still looked after."""
    node.write(services={"old": COMMANDS})
    node.asks |= {"services": {"old": COMMANDS, "new": COMMANDS}}
    assert list(node.ask().observe("services", {}, TIME)) == ["old"]  # type: ignore[arg-type]  # (a mapping, by contract)


def test_programs_verbs_and_time_are_limited(node: PreparedNode) -> None:
    """A program that the policy leaves out is refused, also one that only looks; so is a request for more time."""
    node.write(programs={"observe": ["hello"], "act": []})
    with pytest.raises(CouldNotLook, match="policy does not allow services to observe"):
        node.ask().observe("services", {}, TIME)
    with pytest.raises(ActionFailed, match="policy does not allow restart to act"):
        node.ask().act("restart", {"services": ["orthanc"], "stop_first": []}, TIME)
    node.write(longest_seconds=10)
    with pytest.raises(CouldNotLook, match="policy allows 10 s at most, not 18 s"):
        node.ask().observe("hello", {}, TIME)


def no_file(node: PreparedNode) -> None:
    node.policy.unlink()


def garbage(node: PreparedNode) -> None:
    node.policy.write_text("{")


def twice(node: PreparedNode) -> None:
    node.policy.write_text(node.policy.read_text().replace('"store"', '"store": null, "store"'))


def endless(node: PreparedNode) -> None:
    node.policy.write_text(" " * 300_000)


def fifo(node: PreparedNode) -> None:
    node.policy.unlink()
    os.mkfifo(node.policy)


def link(node: PreparedNode) -> None:
    node.policy.rename(node.folder / "elsewhere")
    node.policy.symlink_to("elsewhere")


def field_missing(node: PreparedNode) -> None:
    fields = json.loads(node.policy.read_text())
    del fields["roots"]
    node.policy.write_text(json.dumps(fields))


BROKEN: list[tuple[Callable[[PreparedNode], object], str]] = [
    (no_file, "cannot be read: No such file"),
    (garbage, "is not valid: it is not one JSON object"),
    (twice, "is not valid: it is not one JSON object"),
    (endless, "is larger than 256 kB"),
    (fifo, "is a link or something else than it should be"),
    (link, "is a link or something else than it should be"),
    (field_missing, "is not valid: policy: roots is missing"),
    (lambda node: node.write(more=1), "is not valid: policy: more is not known here"),
    (lambda node: node.write(format="maintainer.policy/2"), "is not of format maintainer.policy/1"),
    (lambda node: node.write(longest_seconds="1h"), "is not valid: longest_seconds"),
    (lambda node: node.write(programs={"observe": ["hello"]}), "is not valid: programs: act is missing"),
    (lambda node: node.write(programs={"observe": ["../x"], "act": []}), "is not valid: programs.observe"),
    (lambda node: node.write(roots={"spool": {**ROOT, "path": "/etc"}}), "is a folder of the system"),
    (lambda node: node.policy.chmod(0o666), "others may write to .*policy.json"),
    (lambda node: node.policy.chmod(0o664), "others may write to .*policy.json"),
    (lambda node: node.program.chmod(0o646), "others may write to .*node.pyz"),
    (lambda node: node.folder.chmod(0o775), "others may write to"),
    (lambda node: node.folder.parent.chmod(0o757), "others may write to"),
]


@pytest.mark.parametrize(("break_", "why"), BROKEN, ids=range(len(BROKEN)))
def test_a_policy_that_cannot_be_trusted_allows_nothing(
    tmp_path: Path, zipapp: bytes, break_: Callable[[PreparedNode], object], why: str
) -> None:
    """Missing, broken, or within reach of others: nothing is even looked at, and the sentence says which it is."""
    (tmp_path / "etc" / "maintainer").mkdir(parents=True)
    node = prepare(tmp_path / "etc" / "maintainer", zipapp)
    break_(node)
    with pytest.raises(CouldNotLook, match=why) as looked:
        hello(node)
    assert "node prepare" in looked.value.hint
    with pytest.raises(ActionFailed, match=why):
        node.ask().act("restart", {"services": ["orthanc"], "stop_first": []}, TIME)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("what", ["policy.json", "node.pyz", "."])
def test_a_policy_or_program_of_another_user_allows_nothing(node: PreparedNode, what: str) -> None:
    """Whoever owns the file, the program or their folder could change what is allowed."""
    os.chown(node.folder / what, 65534, -1)
    with pytest.raises(CouldNotLook, match="belongs to user 65534, not to root"):
        hello(node)


def test_neither_environment_nor_request_moves_the_policy(
    node: PreparedNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place is part of the program's bytes: another file, however named, is not looked for."""
    node.policy.rename(tmp_path / "other.json")
    for name in ("POLICY", "MAINTAINER_POLICY", "PYTHONPATH", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "other.json"))
    request = {"format": "maintainer.node/2", "verb": "observe", "deadline_seconds": 5, "policy": EMPTY}
    for more in ({"place": str(tmp_path / "other.json")}, {}):
        raw = json.dumps({**request, "questions": [{"program": "hello", "request": {}}], **more}).encode()
        assert b'"ok":false' in node.run("", raw, TIME).stdout


def test_the_inventory_says_unprepared_and_the_node_is_prepared(node: PreparedNode) -> None:
    """A program that is sent to a prepared node is not run; the sentence says what to write."""
    with pytest.raises(CouldNotLook, match="this node is prepared") as looked:
        node.ask(prepared=False).observe("hello", {}, TIME)
    assert looked.value.hint == "write prepared = true in [nodes.pacs-b.ssh]"
    with pytest.raises(ActionFailed, match="this node is prepared"):
        node.ask(prepared=False).act("restart", {"services": ["orthanc"], "stop_first": []}, TIME)


def test_the_inventory_says_prepared_and_the_node_is_not() -> None:
    """A key that opens a shell there runs nothing of ours; the sentence says both ways out."""

    def shell(command: str, stdin: bytes, timeout: timedelta) -> Completed:
        done = subprocess.run(
            ["/bin/sh", "-c", command], input=stdin, capture_output=True, timeout=timeout.total_seconds(), check=False
        )
        return Completed(done.stdout, done.stderr, done.returncode)

    program = NodeProgram("pacs-a", shell, EMPTY, b"", prepared=True)
    with pytest.raises(CouldNotLook, match="the node is not prepared: this key opens a shell") as looked:
        program.observe("hello", {}, TIME)
    assert "node prepare" in looked.value.hint
    with pytest.raises(ActionFailed, match="the node is not prepared"):
        program.act("restart", {}, TIME)


def test_a_program_that_is_gone_or_damaged(node: PreparedNode) -> None:
    """Without its program nothing has begun; a foreign one in its place may have done anything."""
    node.program.write_bytes(b"PK no zip")
    with pytest.raises((CouldNotLook, LinkLost)) as caught:
        hello(node)
    assert "maintainer node program | sha256sum" in caught.value.hint
    node.program.write_text("print('hello')")
    with pytest.raises(LinkLost, match="gave no answer: it is not JSON"):
        node.ask().act("restart", {"services": ["orthanc"], "stop_first": []}, TIME)
    node.program.unlink()
    with pytest.raises(ActionFailed, match="the node's own program is not there"):
        node.ask().act("restart", {"services": ["orthanc"], "stop_first": []}, TIME)
