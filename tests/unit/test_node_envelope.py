"""A request is one bounded, strict JSON object, and the verb alone decides which program it can reach."""

import ast
import io
import json
import sys
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.node import entry
from maintainer.node.envelope import (
    MAX_BYTES,
    BadRequest,
    Failed,
    Refused,
    read_request,
    write_answer,
    write_answers,
    write_trouble,
)

POLICY: dict[str, Any] = {"services": {}, "roots": {}, "store": None, "not_objects": []}
HELLO: dict[str, Any] = {"program": "hello", "request": {}}
GOOD: dict[str, Any] = {
    "format": "maintainer.node/2",
    "verb": "observe",
    "deadline_seconds": 5,
    "policy": POLICY,
    "questions": [HELLO],
}
ACT: dict[str, Any] = {**{key: GOOD[key] for key in GOOD if key != "questions"}, "verb": "act", **HELLO}
FOLDERS = ("maintainer.node", "tasks.node")


def asked(**changed: Any) -> bytes:
    return json.dumps({**GOOD, **changed}).encode()


def answer(raw: bytes) -> Any:
    return json.loads(entry.respond(io.BytesIO(raw)))


def test_a_good_request_is_read() -> None:
    """The fields come out as they went in."""
    assert read_request(io.BytesIO(asked())) == GOOD
    assert read_request(io.BytesIO(json.dumps(ACT).encode())) == ACT


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "not one JSON object"),
        (b"[]", "not an object"),
        (b"\xff\xfe", "not one JSON object"),
        (b'{"format":"maintainer.node/2"', "not one JSON object"),
        (asked() + b"x", "not one JSON object"),
        (asked(extra=1), "extra is not known"),
        (asked(format="maintainer.node/1"), "not of format"),
        (asked(verb="run"), "neither observe nor act"),
        (asked(questions=[]), "not a list of 1 to"),
        (asked(questions=[HELLO] * 65), "not a list of 1 to"),
        (asked(questions=HELLO), "not a list of 1 to"),
        (asked(questions=[HELLO, 1]), "question is not an object"),
        (asked(questions=[{**HELLO, "policy": POLICY}]), "policy is not known"),
        (asked(questions=[HELLO, {**HELLO, "program": "../hello"}]), "program is not a name"),
        (asked(questions=[{**HELLO, "program": "Hello"}]), "program is not a name"),
        (asked(**HELLO), "program is not known"),
        (asked(lease={}), "lease is not known"),
        (json.dumps({**ACT, "program": "../hello"}).encode(), "program is not a name"),
        (json.dumps({**ACT, "questions": [HELLO]}).encode(), "questions is not known"),
        (asked(deadline_seconds=0), "deadline_seconds is not a number"),
        (asked(deadline_seconds=True), "deadline_seconds is not a number"),
        (asked(deadline_seconds=10**9), "deadline_seconds is not a number"),
        (asked(questions=[{**HELLO, "request": []}]), "request.request is not an object"),
        (asked().replace(b'"deadline_seconds": 5', b'"deadline_seconds": NaN'), "not one JSON object"),
        (asked().replace(b'"deadline_seconds": 5', b'"deadline_seconds": ' + b"9" * 4000), "not one JSON object"),
        (asked().replace(b'"request": {}', b'"request": {}, "request": {}'), "not one JSON object"),
        (b"[" * 100_000, "not one JSON object"),
        (b" " * (MAX_BYTES + 1), "larger than 8 MB"),
    ],
)
def test_a_bad_request_gets_a_sentence(raw: bytes, what: str) -> None:
    """Whatever is wrong with a request, the answer is of class bad-request and says what."""
    error = answer(raw)["error"]
    assert (error["class"], what in error["what"]) == ("bad-request", True), error


@given(st.binary(max_size=200))
def test_no_bytes_break_it(raw: bytes) -> None:
    """Random bytes always get an answer of our format."""
    assert answer(raw)["error"]["class"] == "bad-request"


def test_an_answer_is_bounded() -> None:
    """An answer that the link would not carry is an error, not a cut-off text."""
    with pytest.raises(Failed):
        write_answer("x" * MAX_BYTES)
    with pytest.raises(ValueError, match="Out of range"):
        write_answer(float("nan"))


def test_an_answer_too_large_costs_no_other() -> None:
    """What does not fit, or is not JSON, is the trouble of its own question."""
    half = "x" * (MAX_BYTES // 2 + 1)
    outcomes = [("a", half), ("b", half), ("c", float("nan")), ("d", Refused("no")), ("e", 1)]
    raw = write_answers(outcomes)
    assert len(raw) <= MAX_BYTES
    answers = json.loads(raw)["answers"]
    assert [one["program"] for one in answers] == ["a", "b", "c", "d", "e"]
    assert [one["ok"] for one in answers] == [True, False, False, False, True]
    assert [one["error"]["what"] for one in answers[1:4]] == [
        "the answer is larger than 7.9 MB",
        "the program on the node broke: its answer is not JSON",
        "no",
    ]


def test_a_sentence_is_plain() -> None:
    """Control characters never travel in a sentence, and it has an end."""
    error = json.loads(write_trouble(Refused("a\x1b[31mb\n" + "c" * 10_000)))["error"]
    assert error["what"].isprintable()
    assert len(error["what"]) == 500


def test_every_program_is_found_under_its_own_verb_only() -> None:
    """`observe` reaches observe_*.py and nothing else, `act` act_*.py and nothing else."""
    names = [file.name[:-3] for folder in FOLDERS for file in files(folder).iterdir() if file.name.endswith(".py")]
    programs = [name.split("_", 1) for name in names if name.startswith(("observe_", "act_"))]
    assert sorted(name.replace("_", "-") for verb, name in programs if verb == "act") == [
        "cancel",
        "expire",
        "lease",
        "quarantine",
        "reboot",
        "restart",
        "store-learn",
        "store-read",
        "store-seal",
        "store-settle",
    ]
    for verb, name in programs:
        other = "act" if verb == "observe" else "observe"
        program = name.replace("_", "-")
        assert entry.find(verb, program).__name__.endswith(f".{verb}_{name}")
        with pytest.raises(Refused):
            entry.find(other, program)


WRITING = {
    "chmod", "chown", "fchmod", "fchown", "ftruncate", "link", "makedirs", "mkdir", "mknod", "move", "putenv", "pwrite",
    "remove", "removedirs", "rename", "renames", "replace_file", "rmdir", "rmtree", "setxattr", "symlink", "truncate",
    "unlink", "utime", "write",
}  # fmt: skip
WRITE_FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"}
# The envelope's own answer, and the files that may write: those of the quarantine, and the node's own state.
MAY_WRITE = {"entry.py", "kernel.py", "quarantine.py", "act_quarantine.py", "act_expire.py", "state.py", "detach.py"}
MAY_WRITE |= {"store_planting.py"}  # the little store of the proof, which is ours


def sources() -> dict[str, ast.AST]:
    return {
        file.name: ast.parse(file.read_text("utf-8"))
        for folder in FOLDERS
        for file in files(folder).iterdir()
        if file.name.endswith(".py")
    }


def attributes(tree: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_nothing_can_write_to_a_store() -> None:
    """No file but the quarantine's names a call or flag that writes, so there is no verb that writes to a store."""
    offenders = {
        name: attributes(tree) & (WRITING | WRITE_FLAGS) for name, tree in sources().items() if name not in MAY_WRITE
    }
    assert {name: found for name, found in offenders.items() if found} == {}


def test_what_may_write_never_sees_the_store() -> None:
    """Of the files that may write, none opens a store: they only hand it on to be kept apart from."""
    for name, tree in sources().items():
        if name in MAY_WRITE:
            assert not attributes(tree) & {"open_object", "open_top", "Store"}, name


def test_one_database_is_written_to() -> None:
    """The ledger, and in memory the proof's: SQLite opens for writing whatever it is told to."""
    opening = {name for name, tree in sources().items() if "connect" in attributes(tree) & {"connect"}}
    assert opening == {"store_ledger.py", "store_proof.py"}


def test_unlinking_stands_in_two_files_only() -> None:
    """Only the program that expires a quarantine deletes, and the node forgets what it noted itself."""
    deleting = {"unlink", "rmdir", "remove", "rmtree", "removedirs"}
    assert {name for name, tree in sources().items() if attributes(tree) & deleting} == {"act_expire.py", "state.py"}


def test_files_opened_by_name_are_opened_for_reading() -> None:
    """`open()` has no writing mode anywhere."""
    for name, tree in sources().items():
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id == "open":
                modes = [a.value for a in call.args[1:2] if isinstance(a, ast.Constant)]
                assert modes in ([], ["rb"]), name


def test_only_the_standard_library_is_imported() -> None:
    """What runs on a node imports the standard library and itself; tasks' programs do not import ours."""
    for folder in FOLDERS:
        for file in files(folder).iterdir():
            if not file.name.endswith(".py"):
                continue
            tree = ast.parse(file.read_text("utf-8"))
            modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
            modules |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
            strangers = {m for m in modules if m and m.split(".")[0] not in sys.stdlib_module_names}
            assert all(m == folder or m.startswith(folder + ".") for m in strangers), (file.name, strangers)


def test_a_broken_program_tells_no_secret() -> None:
    """An unforeseen error crosses the wire as its class and place, never as its text."""

    class Broken:
        @staticmethod
        def run(_request: Any, _policy: Any, _deadline: Any) -> Any:
            raise KeyError("DOE^JOHN")

    with pytest.raises(Failed, match=r"KeyError in test_node_envelope\.py:\d+") as caught:
        entry._run(Broken.run, {}, None, None)
    assert "DOE" not in caught.value.what


def test_a_value_error_is_a_bad_request() -> None:
    """What a task's program says by ValueError is the request's fault, by OSError the system's."""

    class Picky:
        error: Exception = ValueError("limit is a number")

        @classmethod
        def run(cls, _request: Any, _policy: Any, _deadline: Any) -> Any:
            raise cls.error

    with pytest.raises(BadRequest, match="limit is a number"):
        entry._run(Picky.run, {}, None, None)
    Picky.error = FileNotFoundError(2, "No such file or directory", "/store/DOE^JOHN")
    with pytest.raises(Failed, match=r"No such file or directory$"):
        entry._run(Picky.run, {}, None, None)
