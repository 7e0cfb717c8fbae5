"""The `maintainer` command as a user starts it, with an inventory and a state folder of a test's own."""

import atexit
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from maintainer.cli.root import start
from maintainer.errors import Exit
from tests.practice_fixture import Practice

COMMAND = [sys.executable, "-W", "error", "-m", "maintainer"]
ECHO_TIMEOUT = "2s"  # a hung archive is then found out five times sooner than by default
STOPPED_WITHIN = 90  # seconds; no command of these tests takes half of it


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document that stdout holds, and nothing else."""
        try:
            document = json.loads(self.stdout)
        except json.JSONDecodeError as error:
            raise AssertionError(f"exit {self.code}, no JSON: {self.stdout[:2000]!r}, {self.stderr[:2000]}") from error
        assert isinstance(document, dict)
        return document


@dataclass(frozen=True)
class Controller:
    """A machine that `maintainer` runs on."""

    inventory: Path
    state: Path

    @property
    def journal(self) -> Path:
        return self.state / "interventions.jsonl"

    def argv(self, *words: str) -> list[str]:
        return [*COMMAND, "--inventory", str(self.inventory), *words]

    def do(self, *words: str, env: Mapping[str, str] | None = None) -> Answer:
        """Run one command to its end, as a process of its own."""
        return finished(self.start(*words, env=env))

    def here(self, *words: str) -> Answer:
        """Run one command to its end in this process: the same, without half a second of imports."""
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = start(["--inventory", str(self.inventory), *words])
        return _without_mistake(Answer(int(code), stdout.getvalue(), stderr.getvalue()))

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.argv(*words),
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def json(self, *words: str) -> dict[str, Any]:
        return self.here(*words, "--json").document

    def records(self) -> list[dict[str, Any]]:
        """Every record of the intervention log, from the file itself."""
        return [json.loads(line) for line in self.journal.read_text("utf-8").splitlines()]

    def edit(self, old: str, new: str) -> None:
        """Change the inventory, at one place."""
        text = self.inventory.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the inventory"
        self.inventory.write_text(text.replace(old, new), "utf-8")


def finished(process: "subprocess.Popen[str]", within: float = STOPPED_WITHIN) -> Answer:
    """Wait for a command; one that does not end is killed and fails the test."""
    try:
        stdout, stderr = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return _without_mistake(Answer(process.returncode, stdout, stderr))


def _without_mistake(answer: Answer) -> Answer:
    """Whatever happens, no command may end in a mistake of the program."""
    assert answer.code != Exit.BUG, answer.stderr
    assert "Traceback" not in answer.stderr, answer.stderr
    return answer


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a user's shell hands over, without what would change the output, and a folder for sockets."""
    unwanted = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "MAINTAINER_INVENTORY", "XDG_RUNTIME_DIR"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted} | dict(more or {})
    return kept if "XDG_RUNTIME_DIR" in kept else {**kept, "XDG_RUNTIME_DIR": _runtime_folder()}


@cache
def _runtime_folder() -> str:
    """A run that is killed cannot take its socket away; a test's folder would make the socket's path too long."""
    folder = tempfile.mkdtemp(prefix="e2e-")
    atexit.register(shutil.rmtree, folder)
    return folder


def controller(folder: Path, nodes: Mapping[str, Practice], *, group: bool = False) -> Controller:
    """Make a controller for practice PACS under names of their own.

    `group`: they stand in for each other.
    """
    head, *_ = _parts(next(iter(nodes.values())))
    *_, tail = _parts(next(iter(nodes.values())))
    members = ", ".join(f'"{name}"' for name in nodes)
    sections = [_parts(practice)[1].replace("nodes.practice", f"nodes.{name}") for name, practice in nodes.items()]
    groups = [f"[groups.archive]\nmembers = [{members}]\n"] if group else []
    made = Controller(folder / "inventory.toml", folder / "state")
    made.inventory.write_text("\n".join([_with_state(head, made.state), *groups, *sections, tail]), "utf-8")
    return made


def _parts(practice: Practice) -> tuple[str, str, str]:
    """Divide a practice PACS's inventory: what comes before its node, the node, and what comes after."""
    text = practice.inventory.read_text("utf-8")
    text = text.replace('ae_title = "PRACTICE"', f'ae_title = "PRACTICE"\ntimeout = "{ECHO_TIMEOUT}"')
    start, end = text.index("[nodes.practice]"), text.index("[tasks.service-restart]")
    return text[:start], text[start:end], text[end:]


def _with_state(head: str, state: Path) -> str:
    lines = [f'state = "{state}"' if line.startswith("state = ") else line for line in head.splitlines()]
    return "\n".join(lines) + "\n"


def steps(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """List the steps of a plan: node, task and title."""
    return [
        (entry["node"], entry["task"], step["title"])
        for entry in document["entries"]
        for step in entry["answer"].get("steps", ())
    ]


def endings(document: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """List how the steps of a run ended: node, task, title and ending."""
    return [
        (task["node"], task["task"], done["step"]["title"], done["ending"]["ending"])
        for task in document["tasks"]
        for done in task["steps"]
    ]


def findings(answers: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """List the findings of a plan's entries or a run's tasks: node, cause and subject."""
    return [(one["node"], found["cause"], found["subject"]) for one in answers for found in one["answer"]["findings"]]
