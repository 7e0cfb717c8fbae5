"""The program as it lies on a prepared node, for a place and an owner of the test's own.

The place is fixed when the program is built, so the test builds one: no request and no environment could move it.
"""

import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from maintainer.links.completed import Completed
from maintainer.links.node_program import NodeProgram, zipapp_bytes
from tests.contract.node.own_node import HELD, hold

EMPTY: dict[str, Any] = {"services": {}, "roots": {}, "store": None, "not_objects": []}


def built_for(zipapp: bytes, policy: Path, owner: int) -> bytes:
    """Give the same program with another place and owner of its policy, and of what it remembers."""
    place, raw = "maintainer/node/place.py", io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(zipapp)) as source, zipfile.ZipFile(raw, "w") as target:
        assert place in source.namelist()
        for name in source.namelist():
            ours = f"POLICY = {str(policy)!r}\nOWNER = {owner}\nSTATE = {str(policy.parent / 'state')!r}\n"
            target.writestr(name, ours if name == place else source.read(name))
    return raw.getvalue()


@dataclass
class PreparedNode:
    """A folder with a program and its policy, and ways to ask it."""

    folder: Path
    program: Path
    policy: Path
    asks: dict[str, Any]
    """The policy that the controller's requests bring."""

    def write(self, **changed: Any) -> None:
        programs = {"observe": ["hello", "services", "cleanup"], "act": ["restart", "quarantine"]}
        fields = {"format": "maintainer.policy/1", "longest_seconds": 3600, "programs": programs, **EMPTY, **changed}
        self.policy.write_text(json.dumps(fields))
        self.policy.chmod(0o644)

    def run(self, command: str, stdin: bytes, timeout: timedelta) -> Completed:
        """Start the program as the forced command would, whatever command was asked for."""
        argv = [sys.executable, "-I", "-S", "-B", str(self.program)]
        where = {"PATH": os.environ["PATH"], "SSH_ORIGINAL_COMMAND": command}
        done = subprocess.run(
            argv, input=stdin, capture_output=True, timeout=timeout.total_seconds(), check=False, env=where
        )
        return Completed(done.stdout, done.stderr, done.returncode)

    def ask(self, *, prepared: bool = True) -> NodeProgram:
        return NodeProgram("pacs-b", self.run, self.asks, zipapp_bytes([]), prepared=prepared, lease=HELD)


def prepare(folder: Path, zipapp: bytes, **policy: Any) -> PreparedNode:
    """Lay program and policy down in a folder that nobody else may write to."""
    folder.chmod(0o755)
    node = PreparedNode(folder, folder / "node.pyz", folder / "policy.json", {**EMPTY})
    node.program.write_bytes(built_for(zipapp, node.policy, os.getuid()))
    node.program.chmod(0o644)
    node.write(**policy)
    hold(folder / "state")
    return node
