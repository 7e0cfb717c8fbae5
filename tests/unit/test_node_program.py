"""The controller's side: one reproducible zip, and no answer of a node is believed unseen."""

import io
import json
import os
import zipfile
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost, UsageError
from maintainer.links.completed import Completed
from maintainer.links.node_bundle import bundle
from maintainer.links.node_program import BOOTSTRAP, BOOTSTRAP_SUDO, NodeProgram, OutOfTime, Question, zipapp_bytes

POLICY: Any = {"services": {}, "roots": {}, "store": None, "not_objects": []}
TIME = timedelta(seconds=60)
PROGRAM = zipapp_bytes([])


def node(stdout: bytes = b"", stderr: bytes = b"", status: int = 0, *, sudo: bool = False) -> NodeProgram:
    return NodeProgram("pacs-a", lambda *_: Completed(stdout, stderr, status), POLICY, PROGRAM, sudo=sudo)


def done(answer: Any) -> bytes:
    """Write what an acting program answers."""
    return json.dumps({"format": "maintainer.node/2", "ok": True, "answer": answer}).encode()


def good(answer: Any, program: str = "hello") -> bytes:
    """Write what an observing program answers, when it alone is asked."""
    return seen({"program": program, "ok": True, "answer": answer})


def seen(*answers: Any) -> bytes:
    return json.dumps({"format": "maintainer.node/2", "ok": True, "answers": answers}).encode()


def bad(word: str, what: str = "no", hint: str = "") -> bytes:
    error = {"class": word, "what": what, "hint": hint}
    return json.dumps({"format": "maintainer.node/2", "ok": False, "error": error}).encode()


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
    programs, requests = zip(*(_parts(stdin) for _, stdin, _ in sent), strict=True)
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


def _parts(stdin: bytes) -> tuple[bytes, bytes]:
    """The program and the request of what was sent."""
    length, rest = stdin.split(b"\n", 1)
    return rest[: int(length)], rest[int(length) :]


@pytest.mark.parametrize("word", ["refused", "bad-request", "failed", "deadline"])
def test_the_nodes_sentence_is_passed_on(word: str) -> None:
    """What the node says is the error's text; looking and acting have each their own error."""
    with pytest.raises(CouldNotLook, match="the disk is gone") as looked:
        node(bad(word, "the disk is gone", "mount it")).observe("hello", {}, TIME)
    assert (looked.value.where, looked.value.hint) == ("pacs-a", "mount it")
    with pytest.raises(ActionFailed, match="the disk is gone"):
        node(bad(word, "the disk is gone")).act("restart", {}, TIME)


def test_a_sentence_cannot_steer_the_terminal() -> None:
    """Escape sequences of a hostile node are taken out, and its sentence has an end."""
    with pytest.raises(CouldNotLook) as caught:
        node(bad("failed", "\x1b[2J\u202egone" + "x" * 5000, "\x07do")).observe("hello", {}, TIME)
    assert caught.value.what.startswith("[2Jgone")
    assert len(caught.value.what) <= 500
    assert caught.value.hint == "do"


GARBAGE = [
    b"",
    b"\0",
    b"null",
    b"{}",
    b"[" * 100_000,
    good({})[:-1],
    good({}) + b"x",
    good({}).replace(b"/2", b"/3"),
    good({}).replace(b"true", b"1"),
    good({}).replace(b"{}}", b'{}, "more": 1}'),
    bad("strange"),
    bad("failed").replace(b'"no"', b"[]"),
    b'{"format":"maintainer.node/2","ok":true,"answer":NaN}',
    b'{"format":"maintainer.node/2","ok":true,"answer":1e999}',
    b'{"format":"maintainer.node/2","ok":true,"answer":' + b"9" * 5000 + b"}",
    b'{"format":"maintainer.node/2","ok":true,"answer":"\\ud800"}',
    b'{"format":"maintainer.node/2","ok":true,"answer":' + b"[" * 40 + b"]" * 40 + b"}",
    b" " * 8_000_001,
]


@pytest.mark.parametrize("raw", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_no_answer(raw: bytes) -> None:
    """Garbage means: not seen; and for an action: it may or may not have happened."""
    with pytest.raises(CouldNotLook) as looked:
        node(raw, b"Segmentation fault\n", 139).observe("third-party", {}, TIME)
    assert "gave no answer" in looked.value.what
    assert "139" in looked.value.hint
    with pytest.raises(LinkLost):
        node(raw, b"", 139).act("third-party", {}, TIME)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(raw: bytes) -> None:
    """Random bytes are garbage, in one sentence."""
    with pytest.raises(CouldNotLook):
        node(raw).observe("hello", {}, TIME)


TWO = [Question("fan-speed", {"fan": 1}), Question("hello", {})]
SPEED = {"program": "fan-speed", "ok": True, "answer": 800}
HELLO = {
    "program": "hello",
    "ok": True,
    "answer": {
        "hostname": "a",
        "machine_id_sha256": None,
        "boot_id": None,
        "python": "3.11.2",
        "clock": "2026-03-01T23:00:00Z",
        "user": "m",
        "mounts": [],
    },
}


def test_several_questions_travel_in_one_request() -> None:
    """Each has its answer in its place; the node is asked once."""
    asked: list[bytes] = []

    def run(_command: str, stdin: bytes, _timeout: timedelta) -> Completed:
        asked.append(stdin)
        return Completed(seen(SPEED, HELLO), b"", 0)

    answers = NodeProgram("pacs-a", run, POLICY, PROGRAM).look(TWO, TIME)
    assert answers == [800, HELLO["answer"]]
    assert len(asked) == 1
    _, request = _parts(asked[0])
    assert json.loads(request)["questions"] == [
        {"program": "fan-speed", "request": {"fan": 1}},
        {"program": "hello", "request": {}},
    ]


def test_the_trouble_of_one_hides_no_other() -> None:
    """A refusal, an answer of another shape and a time that ran out are each of one question."""
    refused = {"program": "fan-speed", "ok": False, "error": {"class": "refused", "what": "no fan", "hint": "NAME"}}
    first, second = node(seen(refused, HELLO)).look(TWO, TIME)
    assert (str(first), second) == ("pacs-a: no fan\n  → pacs-a", HELLO["answer"])
    first, second = node(seen(SPEED, {**HELLO, "answer": {"hostname": 7}})).look(TWO, TIME)
    assert first == 800
    assert "hello answered what it does not document" in str(second)
    late = {"program": "hello", "ok": False, "error": {"class": "deadline", "what": "over", "hint": ""}}
    first, second = node(seen(SPEED, late)).look(TWO, TIME)
    assert (first, type(second)) == (800, OutOfTime)


UNBELIEVED = {
    "one missing": (SPEED,),
    "one too many": (SPEED, HELLO, HELLO),
    "swapped": (HELLO, SPEED),
    "of another program": (SPEED, {**HELLO, "program": "services"}),
    "no name": (SPEED, {key: HELLO[key] for key in ("ok", "answer")}),
    "more fields": (SPEED, {**HELLO, "more": 1}),
    "neither": (SPEED, {**HELLO, "ok": 1}),
    "no sentence": (SPEED, {"program": "hello", "ok": False, "error": "no"}),
    "a text": (SPEED, "hello"),
}


@pytest.mark.parametrize("answers", UNBELIEVED.values(), ids=UNBELIEVED)
def test_of_answers_that_do_not_fit_the_questions_none_is_believed(answers: tuple[Any, ...]) -> None:
    """A node that loses count may have mixed up all of them."""
    with pytest.raises(CouldNotLook, match="gave no answer"):
        node(seen(*answers)).look(TWO, TIME)


def test_a_program_of_another_version_is_named() -> None:
    """A prepared node with an older program does not understand the request; what to do stands in the hint."""
    older = bad("bad-request", "request: program is missing").replace(b"node/2", b"node/1")
    program = NodeProgram("pacs-a", lambda *_: Completed(older, b"", 0), POLICY, b"", prepared=True)
    with pytest.raises(CouldNotLook, match=r"it is of format maintainer\.node/1, and this version reads") as caught:
        program.look(TWO, TIME)
    assert "maintainer node prepare" in caught.value.hint


LIES = [
    ("services", {"archive": {"state": "fine", "pid": 1, "started_at": None, "detail": ""}}),
    ("services", {"archive": {"state": "running", "pid": -1, "started_at": None, "detail": ""}}),
    ("services", {"archive": {"state": "running", "pid": 1, "started_at": "yesterday", "detail": ""}}),
    ("services", {"archive": {"state": "running", "pid": 1, "started_at": None, "detail": "\x1b[2J"}}),
    ("services", [1]),
    ("cleanup", {"spool": {"files": -1}}),
    ("store-verify", {"store_present": True, "checked": 1, "bytes": 1, "deviations": [[1, "fine", {}]], "reached": 1}),
    (
        "store-verify",
        {
            "store_present": True,
            "checked": 1,
            "bytes": 1,
            "deviations": [[1, "header", {"why": "DOE JOHN"}]],
            "reached": 1,
        },
    ),
    ("store-list", {"store_present": True, "files": [7], "more": False, "young": 0, "skipped": {}}),
    ("store-header", {"bytes_base64": "not base64!"}),
    ("restart", {"seconds": 1, "services": {"archive": {"did": "DOE JOHN", "down_seconds": 1}}}),
    ("quarantine", {"moved_files": 1.5, "moved_bytes": 0, "skipped": {}, "batch": None, "more": False}),
]


@pytest.mark.parametrize(("program", "lie"), LIES)
def test_a_lying_node_is_not_believed(program: str, lie: Any) -> None:
    """An answer that is not what the program documents is no answer, and patient data cannot ride in evidence."""
    with pytest.raises(CouldNotLook, match="does not document") as caught:
        node(good(lie, program)).observe(program, {}, TIME)
    assert "DOE" not in str(caught.value)


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
