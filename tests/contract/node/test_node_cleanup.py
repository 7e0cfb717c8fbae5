"""Old files go to the quarantine and later from there, and nothing else is ever touched."""

import json
import os
import shutil
import stat
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.errors import ActionFailed
from tests.contract.node.own_node import OwnNode, hold, manifest

QUARANTINE = ".maintainer-quarantine"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts, devices and other users need root")


def quarantined(node: OwnNode) -> list[str]:
    """Paths, below their batch, of the files in the quarantine."""
    batches = (path for path in (node.spool / QUARANTINE).glob("*Z*") if path.is_dir())
    return sorted(str(p.relative_to(b)) for b in batches for p in b.rglob("*") if not p.is_dir())


def test_moves_what_is_due_and_keeps_its_path(own_node: OwnNode) -> None:
    """An old file of a declared pattern moves, with its folders' names, its inode and its content; the rest stays."""
    own_node.policy["roots"]["spool"] = own_node.root(patterns=["*.log"])
    old = own_node.old("deep/er/a.log", b"content")
    inode = old.stat().st_ino
    young, other = own_node.old("b.log", age=10), own_node.old("c.dcm")
    seen = own_node.observe("cleanup")["spool"]
    assert (seen["files"], seen["bytes"], seen["skipped"], seen["problem"]) == (1, 7, {"young": 1}, "")
    assert 7200 <= seen["oldest_age_seconds"] < 7300
    done = own_node.act("quarantine", root="spool")
    assert (done["moved_files"], done["moved_bytes"], done["more"]) == (1, 7, False)
    moved = own_node.spool / QUARANTINE / done["batch"] / "deep/er/a.log"
    assert (moved.stat().st_ino, moved.read_bytes()) == (inode, b"content")
    assert young.exists()
    assert other.exists()
    assert not old.exists()


def test_says_what_came_from_where(own_node: OwnNode) -> None:
    """Beside each batch lies a list from which a person can put everything back."""
    own_node.old("x/a.log")
    done = own_node.act("quarantine", root="spool")
    listed = own_node.spool / QUARANTINE / f"{done['batch']}.jsonl"
    head, entry = (json.loads(line) for line in listed.read_text().splitlines())
    assert head["root"] == str(own_node.spool)
    assert (entry["path"], entry["bytes"]) == ("x/a.log", 3)
    assert stat.S_IMODE(listed.stat().st_mode) == 0o600


def test_second_look_finds_nothing(own_node: OwnNode) -> None:
    """After quarantine nothing is due, and a second quarantine makes no batch."""
    own_node.old("a.log")
    own_node.act("quarantine", root="spool")
    seen = own_node.observe("cleanup")["spool"]
    assert (seen["files"], seen["quarantined_files"], seen["quarantined_bytes"]) == (0, 1, 3)
    before = manifest(own_node.base)
    assert own_node.act("quarantine", root="spool")["batch"] is None
    assert manifest(own_node.base) == before


def test_age_by_ctime_is_not_fooled(own_node: OwnNode) -> None:
    """A file copied in just now with an old date is young where age goes by ctime."""
    own_node.policy["roots"]["spool"] = own_node.root(age_by="ctime")
    own_node.old("a.log")
    assert own_node.observe("cleanup")["spool"]["skipped"] == {"young": 1}
    assert own_node.act("quarantine", root="spool")["moved_files"] == 0


@pytest.mark.fault(41)
def test_links_and_special_files_stay(own_node: OwnNode) -> None:
    """A symlink, a hard link, a FIFO and a socket are counted by kind and left where they are."""
    outside = own_node.base / "outside"
    outside.mkdir()
    (outside / "image").write_bytes(b"precious")
    (own_node.spool / "link").symlink_to(outside / "image")
    (own_node.spool / "folder").symlink_to(outside)
    (own_node.spool / "hard").hardlink_to(outside / "image")
    os.mkfifo(own_node.spool / "fifo")
    own_node.policy["roots"]["spool"] = own_node.root(older_than_seconds=0)
    before = manifest(own_node.base)
    expected = {"symlink": 2, "hard-link": 1, "special": 1}
    assert own_node.observe("cleanup")["spool"]["skipped"] == expected
    done = own_node.act("quarantine", root="spool")
    assert (done["moved_files"], done["skipped"]) == (0, expected)
    assert manifest(own_node.base) == before


@pytest.mark.fault(41)
@needs_root
def test_device_stays(own_node: OwnNode) -> None:
    """A device node is special, too."""
    os.mknod(own_node.spool / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    own_node.policy["roots"]["spool"] = own_node.root(older_than_seconds=0)
    assert own_node.act("quarantine", root="spool")["skipped"] == {"special": 1}
    assert (own_node.spool / "null").is_char_device()


@needs_root
def test_files_of_an_overlay_are_on_its_mount(own_node: OwnNode) -> None:
    """Its layers are other devices than itself; what lies in it is due all the same, and is moved within it."""
    script = 'cd "$0" && mkdir -p lower upper && mount -t tmpfs lower lower && mount -t tmpfs upper upper && '
    script += "mkdir upper/files upper/work && "
    script += 'mount -t overlay o -o "lowerdir=lower,upperdir=upper/files,workdir=upper/work" spool && '
    script += 'touch -d 2020-01-01 spool/import.part && exec "$@"'
    own_node.prefix = ("unshare", "-m", "--propagation", "private", "/bin/sh", "-c", script, str(own_node.base))
    found = own_node.observe("cleanup")["spool"]
    assert (found["files"], found["skipped"]) == (1, {})
    assert (own_node.act("quarantine", root="spool")["moved_files"], found["problem"]) == (1, "")


@pytest.mark.fault(41)
@needs_root
def test_bind_mount_stays(own_node: OwnNode) -> None:
    """A folder or file mounted into the root is not entered, though it lies on the same device."""
    outside = own_node.base / "outside"
    outside.mkdir()
    (outside / "a.log").write_bytes(b"precious")
    (own_node.spool / "bound").mkdir()
    (own_node.spool / "bound.log").write_bytes(b"")
    script = 'mount --bind "$0/outside" "$0/spool/bound" && '
    script += 'mount --bind "$0/outside/a.log" "$0/spool/bound.log" && exec "$@"'
    own_node.prefix = ("unshare", "-m", "--propagation", "private", "/bin/sh", "-c", script, str(own_node.base))
    own_node.policy["roots"]["spool"] = own_node.root(older_than_seconds=0)
    before = manifest(outside)
    assert own_node.observe("cleanup")["spool"]["skipped"]["mount"] == 1
    done = own_node.act("quarantine", root="spool")
    assert (done["moved_files"], done["skipped"]) == (0, {"mount": 2})
    assert manifest(outside) == before


@pytest.mark.fault(41)
@needs_root
@pytest.mark.parametrize(("what", "to"), [("store", "spool"), ("store/aa", "spool"), ("above", "spool")])
def test_store_under_another_name_is_refused(own_node: OwnNode, what: str, to: str) -> None:
    """A root that is the store, a part of it or a folder around it by a bind mount is refused, not cleaned."""
    (own_node.store / "aa").mkdir()
    (own_node.store / "aa" / "image").write_bytes(b"precious")
    above = own_node.base / "above"
    above.mkdir()
    shutil.move(own_node.store, above / "store")
    own_node.store.symlink_to(above / "store")
    own_node.policy["roots"]["spool"] = own_node.root(older_than_seconds=0)
    script = f'mount --bind "$0/{what}" "$0/{to}" && exec "$@"'
    own_node.prefix = ("unshare", "-m", "--propagation", "private", "/bin/sh", "-c", script, str(own_node.base))
    assert own_node.observe("cleanup")["spool"]["problem"] == "root lies on the store"
    with pytest.raises(ActionFailed, match="root lies on the store"):
        own_node.act("quarantine", root="spool")
    assert (above / "store/aa/image").read_bytes() == b"precious"
    assert not list(above.rglob(QUARANTINE))


@needs_root
def test_sticky_folder_of_others(zipapp: bytes) -> None:
    """In a sticky folder, an unprivileged user moves its own files and leaves those of others."""
    base = Path(tempfile.mkdtemp(prefix="maintainer-sticky-"))
    try:
        node = OwnNode(base, {"services": {}, "roots": {}, "store": None, "not_objects": []}, zipapp)
        node.spool.mkdir()
        base.chmod(0o755)
        node.spool.chmod(0o1777)
        node.old("theirs.log")
        mine = node.old("mine.log")
        os.chown(mine, 65534, 65534)
        node.policy["roots"]["spool"] = node.root()
        hold(node.state)
        for path in (node.home, *node.home.rglob("*")):
            os.chown(path, 65534, 65534)
        node.how = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
        done = node.program("/usr/bin/python3").act("quarantine", {"root": "spool"}, timedelta(seconds=30))
        assert isinstance(done, dict)
        assert (done["moved_files"], done["skipped"]) == (1, {"not-permitted": 1})
        assert (node.spool / "theirs.log").exists()
    finally:
        shutil.rmtree(base)


def test_root_must_be_real(own_node: OwnNode) -> None:
    """A root that is missing, a file, a link or behind a link is said to be so, and never acted on."""
    real = own_node.base / "real"
    (real / "below").mkdir(parents=True)
    (own_node.base / "link").symlink_to(real)
    (own_node.base / "file").write_bytes(b"")
    problems = {
        "nowhere": "root missing",
        "file": "root is not a folder",
        "link": "root is a symlink",
        "link/below": "root lies behind a symlink",
    }
    for path, problem in problems.items():
        own_node.policy["roots"]["spool"] = own_node.root(path=str(own_node.base / path))
        assert own_node.observe("cleanup")["spool"]["problem"] == problem
        for program in ("quarantine", "expire"):
            with pytest.raises(ActionFailed, match=problem):
                own_node.act(program, root="spool")


def test_quarantine_of_somebody_else_is_refused(own_node: OwnNode) -> None:
    """A quarantine that others can write to, or that is a link, is not used (a trap laid in a shared spool)."""
    own_node.old("a.log")
    trap = own_node.spool / QUARANTINE
    trap.mkdir()
    trap.chmod(0o777)
    with pytest.raises(ActionFailed, match="not closed to other users"):
        own_node.act("quarantine", root="spool")
    trap.rmdir()
    trap.symlink_to(own_node.store)
    with pytest.raises(ActionFailed, match="not a plain folder"):
        own_node.act("quarantine", root="spool")
    assert (own_node.spool / "a.log").exists()
    assert own_node.observe("cleanup")["spool"]["problem"] == f"{QUARANTINE} is not a plain folder"


def test_expires_only_what_has_waited(own_node: OwnNode) -> None:
    """What is in the quarantine is deleted only after its time there, whatever the age of the file itself."""
    own_node.old("sub/a.log", b"12345", age=10**7)
    own_node.act("quarantine", root="spool")
    assert own_node.act("expire", root="spool") == {
        "deleted_files": 0,
        "deleted_bytes": 0,
        "skipped": {"young": 1},
        "more": False,
    }
    assert own_node.observe("cleanup")["spool"]["expired_files"] == 0
    own_node.policy["roots"]["spool"]["keep_quarantined_seconds"] = 0
    seen = own_node.observe("cleanup")["spool"]
    assert (seen["expired_files"], seen["expired_bytes"]) == (1, 5)
    done = own_node.act("expire", root="spool")
    assert (done["deleted_files"], done["deleted_bytes"]) == (1, 5)
    assert list((own_node.spool / QUARANTINE).iterdir()) == []


def test_a_stamp_alone_is_not_believed(own_node: OwnNode) -> None:
    """A folder with an old stamp that came into being today has not waited: its own change time counts, too."""
    own_node.old("a.log")
    batch = own_node.act("quarantine", root="spool")["batch"]
    folder = own_node.spool / QUARANTINE
    (folder / batch).rename(folder / "20200101T000000Z")
    assert own_node.act("expire", root="spool")["skipped"] == {"young": 1}


def test_what_a_person_left_in_the_quarantine_stays(own_node: OwnNode) -> None:
    """Only batches are deleted, and in them only plain files: notes, links and FIFOs of others stay."""
    own_node.old("a.log")
    batch = own_node.act("quarantine", root="spool")["batch"]
    folder = own_node.spool / QUARANTINE
    (folder / "NOTES").write_text("do not delete")
    precious = own_node.base / "precious"
    precious.write_text("x")
    (folder / batch / "link").symlink_to(precious)
    (folder / batch / "hard").hardlink_to(precious)
    own_node.policy["roots"]["spool"]["keep_quarantined_seconds"] = 0
    done = own_node.act("expire", root="spool")
    assert (done["deleted_files"], done["skipped"]) == (1, {"special": 1, "hard-link": 1})
    assert (folder / "NOTES").exists()
    assert precious.stat().st_nlink == 2


def test_interrupted_expiry_goes_on(own_node: OwnNode) -> None:
    """A batch whose deletion has begun is finished next time, though the deletion has renewed its change time."""
    own_node.old("a.log")
    batch = own_node.act("quarantine", root="spool")["batch"]
    folder = own_node.spool / QUARANTINE
    (folder / batch).rename(folder / f"{batch}.expiring")
    assert own_node.observe("cleanup")["spool"]["expired_files"] == 1
    assert own_node.act("expire", root="spool")["deleted_files"] == 1
    assert list(folder.iterdir()) == []


def test_unknown_root_is_refused(own_node: OwnNode) -> None:
    """A request can only name what the policy declares."""
    with pytest.raises(ActionFailed, match="no cleanup root of that name"):
        own_node.act("quarantine", root="store")


def test_no_acting_program_writes_to_the_store(own_node: OwnNode) -> None:
    """Whatever acting program runs, the store is byte for byte what it was, and the same inodes."""
    own_node.old("a.log")
    (own_node.store / "aa").mkdir()
    (own_node.store / "aa" / "image").write_bytes(b"precious")
    before = manifest(own_node.store)
    own_node.policy["roots"]["spool"]["keep_quarantined_seconds"] = 0
    for program in ("quarantine", "expire"):
        own_node.act(program, root="spool")
    assert manifest(own_node.store) == before
