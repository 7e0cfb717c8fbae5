"""A node that talks nonsense, lies, floods, hangs, or has another program or a broken policy in our program's place."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.app import Maintainer, load
from maintainer.links import lease, node_observer
from maintainer.links.node_answers import FORMAT
from maintainer.practice.service import Service
from tests.contract.node.prepared import built_for
from tests.e2e.driver import Controller, endings
from tests.e2e.evidence import differences, evidence
from tests.practice_fixture import Practice

CLEANUP = ("--task", "disk-cleanup", "--json")


@contextmanager
def _with(practice: Practice, programs: dict[str, str], folder: Path) -> Iterator[None]:
    """Let the node's sshd find other programs first: the `python3` that it runs, or the one of its forced command."""
    folder.mkdir()
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        (folder / name).chmod(0o755)
    try:
        _restart_sshd(practice, f"{folder}:{os.environ['PATH']}")
        yield
    finally:
        _restart_sshd(practice, os.environ["PATH"])


def _restart_sshd(practice: Practice, path: str) -> None:
    Service(practice.layout, "sshd").stop()
    argv = [sys.executable, "-m", "maintainer.practice.service", str(practice.folder), "sshd", "start"]
    subprocess.run(argv, env={**os.environ, "PATH": path}, check=True, timeout=60)


UNSEEN, REFUSED = (3, "unseen"), (4, "refuse")


def _nothing_is_done(
    me: Controller, practice: Practice, sentence: str, advice: str, *, run: tuple[int, str] = UNSEEN
) -> None:
    """Plan, run and check say what came, and with 3 that it was no look; nothing on the node or of the log is lost."""
    before = evidence(practice)
    for command, part, ends in (("plan", "entries", UNSEEN), ("run", "tasks", run)):
        answer = me.here(command, *CLEANUP)
        (said,) = (one["answer"] for one in answer.document[part])
        assert (answer.code, said["kind"]) == ends, said
        assert sentence in said["because"]
        assert advice in said["hint"]
    check = me.here("check")
    assert (check.code, sentence in check.stdout) == (3, True)
    assert differences(before, evidence(practice)) == []
    assert me.here("log", "verify").code == 0


NONSENSE = "cat >/dev/null; echo"
ANSWERS = {
    "talks nonsense": (f"{NONSENSE} hello", "it is not JSON", "something else printed"),
    "answers with another schema": (
        f"""{NONSENSE} '{{"format": "maintainer.node/0", "ok": true, "answer": {{}}}}'""",
        "it is of format maintainer.node/0, and this version reads",
        "",
    ),
    "answers in other shapes": (
        f"""{NONSENSE} '{{"format": "{FORMAT}", "ok": true, "answer": {{"files": "many"}}}}'""",
        "gave no answer",
        "",
    ),
    "floods": ("cat >/dev/null; exec cat /dev/zero", "answered more than 8 MB", "in place of our program"),
    "says nothing": ("cat >/dev/null", "there was no output", "it ended with status 0"),
}


@pytest.mark.parametrize("how", ANSWERS)
def test_a_node_that(how: str, mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """It is not seen, with a sentence that says what came instead; nothing is done there and nothing is lost."""
    mended.break_("full-spool")
    script, sentence, advice = ANSWERS[how]
    with _with(mended, {"python3": script}, tmp_path / "bin"):
        _nothing_is_done(alone, mended, sentence, advice)
    assert {ending for *_, ending in endings(alone.here("run", *CLEANUP).document)} == {"done"}


def test_a_node_that_hangs(
    mended: Practice, alone: Controller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up when the question's time is over, which is minutes where no test waits for it."""
    monkeypatch.setattr(node_observer, "PROGRAM_TIME", timedelta(seconds=2))
    monkeypatch.setattr(lease, "TIME", timedelta(seconds=2))
    with _with(mended, {"python3": "exec sleep 600"}, tmp_path / "bin"):
        _nothing_is_done(alone, mended, "had not ended after 2 s", "")


def test_a_node_that_lies(mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """It claims to have moved what it claims to have: the second look believes no verdict, and the steps failed."""
    lying = f"""{sys.executable} "$@" | sed -E 's/"files": ?[0-9]+/"files": 7/g'"""
    with _with(mended, {"python3": lying}, tmp_path / "bin"):
        run = alone.here("run", *CLEANUP)
    assert (run.code, {ending for *_, ending in endings(run.document)}) == (1, {"failed"})
    errors = {done["ending"]["error"] for task in run.document["tasks"] for done in task["steps"]}
    assert all(error.startswith("still due after it was done") for error in errors)
    assert alone.json("status")["open_intents"] == []
    assert alone.here("log", "verify").code == 0


AGAIN = "run what `maintainer node prepare practice` prints on the node again"
PREPARED = {
    "another program in its place": ("cat >/dev/null; echo Usage: viewer FILE", "it is not JSON", AGAIN),
    "a broken policy": ('{"format": "maintainer.policy/1", "serv', "it is not one JSON object", AGAIN),
    "a policy of another form": ('{"format": "maintainer.policy/0"}', "policy.json is not valid", AGAIN),
    "no policy": ("", "policy.json cannot be read: No such file or directory", AGAIN),
}


@pytest.mark.parametrize("what", PREPARED)
def test_a_prepared_node_with(what: str, mended: Practice, alone: Controller, tmp_path: Path) -> None:
    """Whatever is asked for, the node does nothing, and says why where it can; a run takes that for its refusal."""
    mended.break_("full-spool")
    content, sentence, advice = PREPARED[what]
    foreign = what == "another program in its place"
    script = content if foreign else _ours(alone, tmp_path, content)
    alone.edit("# prepared = true", "prepared = true")
    with _with(mended, {"maintainer-node": script}, tmp_path / "bin"):
        _nothing_is_done(alone, mended, sentence, advice, run=UNSEEN if foreign else REFUSED)


def _ours(me: Controller, folder: Path, policy: str) -> str:
    """Lay our program down with a policy beside it, and give the command that the key opens."""
    place = folder / "etc"
    place.mkdir(mode=0o755)
    if policy:
        (place / "policy.json").write_text(policy, "utf-8")
    program = Maintainer(load(me.inventory)).node_program()
    (place / "node.pyz").write_bytes(built_for(program, place / "policy.json", os.getuid()))
    return f"exec {sys.executable} -I -S -B {place}/node.pyz"
