"""No answer of a node is believed unseen: garbage, lies, and answers that do not fit the questions."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.errors import CouldNotLook, LinkLost
from maintainer.links.completed import Completed
from maintainer.links.node_program import NodeProgram, OutOfTime, Question
from tests.unit.answering_node import POLICY, PROGRAM, TIME, bad, good, node, parts, seen


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
    _, request = parts(asked[0])
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
