"""A node of one's own: folders below tmp_path and the real program, started as sshd would start it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from maintainer.links.completed import Completed
from maintainer.links.node_program import NodeProgram


def interpreters() -> list[str]:
    """This Python, and whichever others of those that a node may have are installed here."""
    on_path = filter(None, (shutil.which(f"python3.{minor}") for minor in range(6, 15)))
    by_pyenv = sorted(str(path) for path in (Path.home() / ".pyenv" / "versions").glob("3.*/bin/python3"))
    return [sys.executable, *(path for path in (*on_path, *by_pyenv) if "/shims/" not in path)]


def hold(state: Path) -> None:
    """Let the claim `HELD` hold a node, as after a run has taken its lease."""
    state.mkdir(0o700, parents=True, exist_ok=True)
    now = "2026-11-24T22:00:00Z"
    holder = {"controller": "c1", "run": "r1", "who": "agent@controller", "since": now, "renewed": now}
    lease = {"format": "maintainer.lease/1", "token": 1, "holder": holder, "released": None}
    (state / "lease.json").write_text(json.dumps(lease))


def run_with(python: str, prefix: tuple[str, ...] = (), **how: Any) -> Any:
    """A link that runs the command line in a shell on this machine, with `python` as the node's python3."""

    def run(command: str, stdin: bytes, timeout: timedelta) -> Completed:
        line = command.replace("python3", python, 1)
        argv = [*prefix, "/bin/sh", "-c", line]
        done = subprocess.run(
            argv, input=stdin, capture_output=True, timeout=timeout.total_seconds(), check=False, **how
        )
        return Completed(done.stdout, done.stderr, done.returncode)

    return run


HELD: dict[str, JsonValue] = {"controller": "c1", "run": "r1", "token": 1}


@dataclass
class OwnNode:
    """What the node has, and ways to ask its program."""

    base: Path
    policy: dict[str, Any]
    zipapp: bytes
    prefix: tuple[str, ...] = ()
    how: dict[str, Any] = field(default_factory=dict)

    @property
    def spool(self) -> Path:
        return self.base / "spool"

    @property
    def store(self) -> Path:
        return self.base / "store"

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def state(self) -> Path:
        """What the node remembers."""
        return self.home / ".local" / "state" / "maintainer"

    def program(self, python: str = sys.executable, lease: dict[str, JsonValue] | None = HELD) -> NodeProgram:
        how = {**self.how, "env": {**self.how.get("env", os.environ), "HOME": str(self.home)}}
        return NodeProgram("pacs-a", run_with(python, self.prefix, **how), self.policy, self.zipapp, lease=lease)

    def observe(self, program: str, seconds: float = 30, **request: JsonValue) -> Any:
        return self.program().observe(program, request, timedelta(seconds=seconds))

    def act(self, program: str, seconds: float = 30, **request: JsonValue) -> Any:
        return self.program().act(program, request, timedelta(seconds=seconds))

    def root(self, **fields: Any) -> dict[str, Any]:
        settings = {"patterns": ["*"], "older_than_seconds": 3600, "age_by": "mtime", "keep_quarantined_seconds": 3600}
        return {"path": str(self.spool), **settings, **fields}

    def old(self, path: str, content: bytes = b"old", age: float = 7200) -> Path:
        """Write a file of the spool and set its mtime back."""
        file = self.spool / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        then = file.stat().st_mtime - age
        os.utime(file, (then, then))
        return file


def manifest(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every entry below a folder: its inode, mode and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path.relative_to(folder))] = (
            status.st_ino,
            status.st_mode,
            path.read_bytes() if path.is_file() and not path.is_symlink() else b"",
        )
    return found
