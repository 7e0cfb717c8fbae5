"""Services with commands of their own, each a small daemon in a folder, and ways to have them restarted."""

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.contract.node.own_node import OwnNode
from tests.contract.node.slow_program import alive

# As products ship them: it keeps the output it was started with, and talks all the time. Files beside it make trouble.
_SCRIPT = """#!/bin/sh
cd "$(dirname "$0")"
echo "$1" >> called
runs() { [ -e pid ] && case $(cut -d" " -f3 "/proc/$(cat pid)/stat" 2>/dev/null) in ""|Z) false ;; esac; }
case "$1" in
start) [ -e broken ] && { echo "cannot bind port 104"; exit 1; }
       runs && exit 0
       sh -c 'while :; do echo chatter; echo . >> beats; sleep 0.05; done' "$PWD" &
       echo $! > pid; echo $! >> started ;;
stop)  echo $$ > stopping
       while [ -e hangs ]; do sleep 0.05; done
       [ -e deaf ] && exit 0
       kill "$(tail -n 1 started)"; rm -f pid; date +%s.%N > stopped
       while [ -e lingers ]; do sleep 0.05; done ;;
status) runs && exit 0
       exit 3 ;;
esac
"""


@contextmanager
def daemons(node: OwnNode, *names: str, seconds: float = 5) -> Iterator[None]:
    """Declare services; what they leave running is ended."""
    for name in names:
        folder = node.base / name
        folder.mkdir()
        script = folder / "service.sh"
        script.write_text(_SCRIPT)
        script.chmod(0o755)
        argvs = {verb: [str(script), verb] for verb in ("start", "stop", "status")}
        node.policy["services"][name] = {**argvs, "pid_file": str(folder / "pid"), "timeout_seconds": seconds}
    try:
        yield
    finally:
        for name in names:
            for file in ("hangs", "lingers"):
                (node.base / name / file).unlink(missing_ok=True)
            for pid in _started(node.base / name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _started(folder: Path) -> list[int]:
    """Daemons of this test that still live: those that the script started, and that carry this test's folder.

    Never by the pid file: tests write -1, 0 and other processes' numbers into it.
    """
    record = folder / "started"
    pids = [int(line) for line in record.read_text().split()] if record.exists() else []
    return [pid for pid in pids if pid > 1 and str(folder).encode() in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def serves(node: OwnNode, name: str) -> bool:
    return any(alive(pid) for pid in _started(node.base / name))


def called(node: OwnNode, name: str) -> list[str]:
    """What the service was told, without being asked how it is."""
    log = node.base / name / "called"
    return [word for word in log.read_text().split() if word != "status"] if log.exists() else []


def until(what: Any, seconds: float = 30) -> Any:
    """Wait for something to hold."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


def launch(node: OwnNode, restart: tuple[str, ...] = (), start: tuple[str, ...] = (), seconds: float = 60) -> str:
    """Have them restarted or started, in this order; answers the operation's id."""
    key = f"step-{secrets.token_hex(4)}"
    node.program().launch(key, "restart", {"services": [*restart, *start], "stop_first": [*restart]}, seconds)
    return key


def verdict(node: OwnNode, key: str) -> Any:
    return until(lambda: _ended(node, key), 60)


def _ended(node: OwnNode, key: str) -> Any:
    seen = node.observe("operation", id=key, wait_seconds=10)
    return None if seen["state"] == "running" else seen


def carry_out(node: OwnNode, **asked: Any) -> Any:
    return verdict(node, launch(node, **asked))
