"""A node that answers a request with whatever a test wants."""

import json
from datetime import timedelta
from typing import Any

from maintainer.links.completed import Completed
from maintainer.links.node_program import NodeProgram, zipapp_bytes

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


def parts(stdin: bytes) -> tuple[bytes, bytes]:
    """The program and the request of what was sent."""
    length, rest = stdin.split(b"\n", 1)
    return rest[: int(length)], rest[int(length) :]
