"""Practice PACS for the tests of this folder: one that is mended after each test, and a pair."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from maintainer.practice.service import Service
from tests.e2e.driver import Controller, controller
from tests.practice_fixture import Practice, _lent

MACHINE_ID = Path("/etc/machine-id")


@pytest.fixture
def mended(shared_practice: Practice, tmp_path: Path) -> Iterator[Practice]:
    """The module's practice PACS for one test, which may damage store, spool and servers: afterwards it is whole."""
    layout, kept = shared_practice.layout, tmp_path / "kept"
    for folder in (layout.store, layout.spool):
        shutil.copytree(folder, kept / folder.name)
    rotated = set(layout.logs.glob("*.log.*"))
    try:
        yield shared_practice
    finally:
        for folder in (layout.store, layout.spool):
            shutil.rmtree(folder)
            shutil.copytree(kept / folder.name, folder)
        shutil.rmtree(layout.logs / ".maintainer-quarantine", ignore_errors=True)
        for planted in set(layout.logs.glob("*.log.*")) - rotated:
            planted.unlink()
        # Who held the node, and what was launched there, is that test's, whose controller may have been killed.
        shutil.rmtree(layout.home / ".local" / "state" / "maintainer", ignore_errors=True)
        revive(shared_practice)


@pytest.fixture
def alone(shared_practice: Practice, tmp_path: Path) -> Controller:
    """A controller of the test's own for the module's practice PACS."""
    return controller(tmp_path, {"practice": shared_practice})


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Practice]]:
    """Two practice PACS, by the name of their node, as if they were two machines."""
    folder = tmp_path_factory.mktemp("pair")
    with contextlib.ExitStack() as lent:
        nodes = {
            name: lent.enter_context(contextlib.contextmanager(_lent)(folder / name)) for name in ("pacs-a", "pacs-b")
        }
        _as_another_machine(nodes["pacs-b"], folder)
        yield nodes


def _as_another_machine(practice: Practice, folder: Path) -> None:
    """Start its SSH server where /etc/machine-id is another: else the two are one machine under two names."""
    if not MACHINE_ID.exists():
        return
    another = folder / "machine-id"
    another.write_text(f"{secrets.token_hex(16)}\n", "ascii")
    Service(practice.layout, "sshd").stop()
    namespace = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    mount = ["sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", str(another), str(MACHINE_ID)]
    start = [sys.executable, "-P", "-m", "maintainer.practice.service", str(practice.folder), "sshd", "start"]
    if subprocess.run([*namespace, *mount, *start], check=False).returncode != 0:
        pytest.skip("this machine gives no mount namespace, so two practice PACS on it are one machine")


def revive(practice: Practice) -> None:
    """Start what of it does not run, and wake what is suspended."""
    for part in practice.pacs.status():
        if part.state == "hung" and part.pid:
            os.kill(part.pid, signal.SIGCONT)
    practice.up()
