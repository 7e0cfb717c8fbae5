"""Somebody swaps links in while files are moved: nothing outside the root is ever touched."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from maintainer.node import act_expire, act_quarantine, cleaning, folders
from maintainer.node.deadline import Deadline
from maintainer.node.policy import Policy
from tests.contract.node.own_node import OwnNode

SECONDS = 3.0

# Runs beside the mover: swaps a folder for a link to the protected one and back, swaps a file for a link and for a hard
# link to a protected file, and keeps the spool filled with files that are due.
RACER = """
import os, sys
base = sys.argv[1]
spool, outside = base + "/spool", base + "/outside"
parent, swaps = os.getppid(), 0
def fill(path):
    # Never over what is there: it may be a link to the protected file, which only the mover must not harm.
    with open(path, "x") as file:
        file.write("due")
def attempt(call, *paths):
    try:
        call(*paths)
    except OSError:
        pass
while os.getppid() == parent:
    for n in range(4):
        attempt(fill, "%s/sub/%d.log" % (spool, n))
        attempt(fill, "%s/%d.log" % (spool, n))
    attempt(os.rename, spool + "/sub", spool + "/.real")
    attempt(os.symlink, outside, spool + "/sub")
    for n in range(4):
        attempt(os.symlink, "%s/%d.log" % (outside, n), base + "/swap")
        attempt(os.rename, base + "/swap", "%s/%d.log" % (spool, n))
        attempt(os.unlink, "%s/%d.log" % (spool, n))
        attempt(fill, "%s/%d.log" % (spool, n))
        attempt(os.link, "%s/%d.log" % (outside, n), base + "/swap")
        attempt(os.rename, base + "/swap", "%s/%d.log" % (spool, n))
        attempt(os.unlink, "%s/%d.log" % (spool, n))
    attempt(os.unlink, spool + "/sub")
    attempt(os.rename, spool + "/.real", spool + "/sub")
    swaps += 1
    if swaps % 10 == 0:
        with open(base + "/swaps", "w") as file:
            file.write(str(swaps))
"""


@contextmanager
def racing(base: Path) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-S", "-c", RACER, str(base)]) as racer:
        try:
            yield
        finally:
            racer.kill()


def protected(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Name, inode, mode and content; the count of links is what the racer plays with."""
    return {p.name: (p.lstat().st_ino, p.lstat().st_mode, p.read_bytes()) for p in folder.iterdir()}


@pytest.mark.fault(41)
def test_symlink_and_hard_link_races(own_node: OwnNode) -> None:
    """In seconds of racing, files that are due are moved and deleted, and the protected folder stays as it was."""
    outside = own_node.base / "outside"
    outside.mkdir()
    for n in range(4):
        (outside / f"{n}.log").write_text(f"precious {n}")
    (own_node.spool / "sub").mkdir()
    own_node.policy["roots"]["spool"] = own_node.root(older_than_seconds=0, keep_quarantined_seconds=0)
    policy = Policy(own_node.policy)
    before = protected(outside)
    moved = deleted = runs = 0
    skipped: Counter[str] = Counter()
    with racing(own_node.base):
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            done = act_quarantine.run({"root": "spool"}, policy, Deadline(5))
            moved, runs = moved + done["moved_files"], runs + 1
            skipped.update(done["skipped"])
            if runs % 10 == 0:
                deleted += act_expire.run({"root": "spool"}, policy, Deadline(5))["deleted_files"]
    assert protected(outside) == before
    assert (moved >= 100, deleted >= 50) == (True, True), (moved, deleted, runs)
    assert skipped["symlink"] + skipped["hard-link"] > 10, skipped
    assert int((own_node.base / "swaps").read_text()) >= 30


@pytest.mark.fault(41)
def test_a_folder_that_became_a_link_is_not_entered(own_node: OwnNode) -> None:
    """Between listing a folder and opening it lies the moment in which a link can take its place."""
    (own_node.base / "outside").mkdir()
    (own_node.spool / "sub").symlink_to(own_node.base / "outside")
    with folders.closing(folders.open_absolute(str(own_node.spool))) as folder, pytest.raises(folders.BehindLink):
        folders.open_child(folder, "sub")


def test_another_file_in_its_place_goes_back(own_node: OwnNode) -> None:
    """When the file that was moved is not the one that was looked at, it is put back and the list says so."""
    own_node.policy["roots"]["spool"] = own_node.root()
    root = Policy(own_node.policy).root("spool")
    own_node.old("sub/a.log", b"due")
    with folders.closing(folders.open_absolute(str(own_node.spool))) as folder:
        walk = cleaning.Walk(folder, root, Deadline(30))
        with act_quarantine._Mover(walk) as mover:
            for found in walk.files():
                newcomer = own_node.old("sub/new", b"in use")
                newcomer.rename(own_node.spool / "sub/a.log")
                assert mover._move_pinned(found, found.status) == "swapped"
    assert (own_node.spool / "sub/a.log").read_bytes() == b"in use"
    (listed,) = (own_node.spool / cleaning.QUARANTINE).glob("*.jsonl")
    assert json.loads(listed.read_text().splitlines()[-1]) == {"not_moved": "swapped", "path": "sub/a.log"}
