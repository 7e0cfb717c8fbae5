"""The controller's side: one reproducible zip, what is sent with it, and what a node's refusal becomes."""

import io
import json
import os
import zipfile
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost, UsageError
from maintainer.links.completed import Completed
from maintainer.links.node_bundle import bundle
from maintainer.links.node_program import BOOTSTRAP, BOOTSTRAP_SUDO, NodeProgram, zipapp_bytes
from maintainer.node import envelope
from tests.unit.answering_node import POLICY, PROGRAM, TIME, bad, done, good, node, parts


def test_two_builds_are_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the place, the umask, the files' times and modes nor their order in the folder make a difference."""
    first = zipapp_bytes([files("tasks.node")])
    copy = tmp_path / "programs"
    copy.mkdir()
    mask = os.umask(0o077)
    try:
        sources = [file for file in files("tasks.node").iterdir() if file.name.endswith(".py")]
        for file in sorted(sources, key=lambda file: file.name, reverse=True):
            (copy / file.name).write_bytes(file.read_bytes())
            os.utime(copy / file.name, (0, 0))
    finally:
        os.umask(mask)
    monkeypatch.chdir(tmp_path)
    assert zipapp_bytes([copy]) == first


def test_what_is_in_the_zip() -> None:
    """Only our sources, an entry at its root, and one fixed date and mode."""
    with zipfile.ZipFile(io.BytesIO(zipapp_bytes([files("tasks.node")]))) as archive:
        entries = archive.infolist()
    names = [entry.filename for entry in entries]
    assert {"__main__.py", "maintainer/node/entry.py", "tasks/node/observe_boot.py"} <= set(names)
    assert names == sorted(names)
    assert all(name.endswith(".py") for name in names)
    assert {(entry.date_time, entry.external_attr >> 16) for entry in entries} == {((1980, 1, 1, 0, 0, 0), 0o100644)}


def test_third_parties_add_programs(tmp_path: Path) -> None:
    """A file in a folder of theirs is in the zip; a second one of the same name is refused."""
    (tmp_path / "observe_fan_speed.py").write_text("")
    with zipfile.ZipFile(io.BytesIO(zipapp_bytes([files("tasks.node"), tmp_path]))) as archive:
        assert "tasks/node/observe_fan_speed.py" in archive.namelist()
    with pytest.raises(UsageError, match=r"both called observe_fan_speed\.py"):
        zipapp_bytes([tmp_path, tmp_path])
    (tmp_path / "act_quarantine.py").write_text("")
    with pytest.raises(UsageError, match=r"both called act_quarantine\.py"):
        zipapp_bytes([tmp_path])


def test_what_is_sent() -> None:
    """The command is fixed; the program, the policy and a deadline within the timeout travel on its input."""
    sent: list[tuple[str, bytes, timedelta]] = []

    def run(command: str, stdin: bytes, timeout: timedelta) -> Completed:
        sent.append((command, stdin, timeout))
        return Completed(good({}, "services") if len(sent) == 1 else done({}), b"", 0)

    NodeProgram("pacs-a", run, POLICY, PROGRAM).observe("services", {}, TIME)
    NodeProgram("pacs-a", run, POLICY, PROGRAM, sudo=True).act("fan-stop", {"fan": 1}, TIME)
    programs, requests = zip(*(parts(stdin) for _, stdin, _ in sent), strict=True)
    assert programs == (bundle(PROGRAM, ["services"]), PROGRAM)
    assert json.loads(requests[0]) == {
        "format": "maintainer.node/2",
        "verb": "observe",
        "questions": [{"program": "services", "request": {}}],
        "deadline_seconds": 54.0,
        "policy": POLICY,
    }
    assert [command for command, _, _ in sent] == [BOOTSTRAP, BOOTSTRAP_SUDO]
    assert BOOTSTRAP_SUDO.startswith("exec sudo -n python3 -I ")
    assert json.loads(requests[1]) == {
        "format": "maintainer.node/2",
        "verb": "act",
        "program": "fan-stop",
        "deadline_seconds": 54.0,
        "policy": POLICY,
        "request": {"fan": 1},
    }


def test_a_node_is_not_asked_for_more_than_a_day() -> None:
    """What may take longer ends after a day; a request for two days would not be taken at all."""
    sent: list[bytes] = []

    def run(_command: str, stdin: bytes, _timeout: timedelta) -> Completed:
        sent.append(parts(stdin)[1])
        return Completed(good({}, "services") if len(sent) == 1 else done({}), b"", 0)

    program = NodeProgram("pacs-a", run, POLICY, PROGRAM)
    program.observe("services", {}, timedelta(days=2))
    program.act("fan-stop", {"fan": 1}, timedelta(days=2))
    assert [json.loads(request)["deadline_seconds"] for request in sent] == [envelope.MAX_DEADLINE_SECONDS] * 2


@pytest.mark.parametrize("word", ["refused", "bad-request", "failed", "deadline"])
def test_the_nodes_sentence_is_passed_on(word: str) -> None:
    """What the node says is the error's text; looking and acting have each their own error."""
    with pytest.raises(CouldNotLook, match="the disk is gone") as looked:
        node(bad(word, "the disk is gone", "mount it")).observe("hello", {}, TIME)
    assert (looked.value.where, looked.value.hint) == ("pacs-a", "mount it")
    with pytest.raises(ActionFailed, match="the disk is gone"):
        node(bad(word, "the disk is gone")).act("restart", {}, TIME)


def test_a_node_that_could_not_begin() -> None:
    """Without python3, with one too old or with sudo saying no, an action has failed: nothing is unclear."""
    cases = {
        "there is no python3": node(b"", b"sh: 1: exec: python3: not found", 127),
        "sudo on the node said no": node(b"", b"sudo: a password is required\n", 1, sudo=True),
        "older than 3.6": node(b"", b"Unknown option: -I\nusage: python3\nUnknown option: -I", 2),
    }
    for what, program in cases.items():
        with pytest.raises(ActionFailed, match=what):
            program.act("restart", {}, TIME)
        with pytest.raises(CouldNotLook, match=what):
            program.observe("hello", {}, TIME)


def test_a_launch_whose_time_was_over_may_have_begun() -> None:
    """It is asked for again under its id; an action that was not launched has failed by then."""
    late = node(bad("deadline", "the time is over"))
    with pytest.raises(LinkLost, match="the time is over"):
        late.launch("step-1", "restart", {}, 60)
    with pytest.raises(ActionFailed, match="the time is over"):
        late.act("restart", {}, TIME)


def test_a_question_that_is_too_large() -> None:
    """What the node would not read is not sent."""
    with pytest.raises(CouldNotLook, match="larger than 8 MB"):
        node(good({})).observe("store-list", {"after": "x" * 9_000_000}, TIME)
