"""Nights over a plain tree of files: the node's own program on real files, and nowhere a database to be asked."""

import os
import shutil
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from maintainer.archives import ArchiveProduct, product_of
from maintainer.links.node_program import NodeProgram
from maintainer.model.action import AsFound
from maintainer.model.inventory import Node, Store
from tests.contract.archives.dcm4chee import image, write
from tests.contract.archives.test_archive_ledger import deviations, night
from tests.contract.node.own_node import OwnNode, hold, interpreters, manifest

TREE = Store(archive="tree", path="/srv/tree")


class Link:
    """A node with a tree. `rows` is a database that there is not."""

    name, is_cut = "pacs-a", False
    node = Node.model_validate({"address": "a", "ssh": {"user": "m"}})

    def __init__(self, own: OwnNode, python: str = "") -> None:
        self.own, self._python = own, python

    def program(self) -> NodeProgram:
        return self.own.program(self._python) if self._python else self.own.program()

    def stop_asked(self) -> bool:
        return False

    @property
    def archive(self) -> ArchiveProduct:
        return product_of(TREE)

    def rows(self, _text: str, _parameters: dict[str, Any]) -> NoReturn:
        raise AssertionError("a database was asked")

    def ask(self, program: str, request: dict[str, Any]) -> Any:
        return self.program().observe(program, request, timedelta(seconds=30))


@pytest.fixture
def tree(tmp_path: Path, zipapp: bytes) -> OwnNode:
    """A node with a tree of ten images and one file of another kind."""
    node = OwnNode(tmp_path, {"services": {}, "roots": {}, "not_objects": []}, zipapp)
    node.policy["store"] = str(node.store)
    hold(node.state)
    for number in range(10):
        write(node, path(number), image(number))
    write(node, "README.txt", b"What the trial is about.\n")
    return node


def path(number: int) -> str:
    return f"trial {number % 2}/IM{number:06}"


def rewrite(node: OwnNode, name: str, content: bytes) -> None:
    """Change a file and no time of it, as a disk does."""
    at = (node.store / name).stat().st_mtime_ns
    write(node, name, content)
    os.utime(node.store / name, ns=(at, at))


@pytest.mark.parametrize("python", ["", *interpreters()])
def test_the_first_night_learns_and_reads(tree: OwnNode, python: str) -> None:
    """Whatever Python the node has; nothing is written in the tree, and nothing deviates."""
    link, before = Link(tree, python), manifest(tree.store)
    told, answer = night(link, 24)
    assert (told["new"], told["objects"], told["files"], told["stopped"]) == (11, 11, 11, "nothing-left")
    assert answer["ledger"]["verified"] == {"archive": 0, "baseline": 0, "baselined": 11}
    assert (answer["ledger"]["root"], answer["ledger"]["sealed"]) == (told["ledger_root"], True)
    assert (deviations(answer), answer["ledger"]["skipped"]) == (set(), {})
    assert (answer["arrived_bytes"], answer["arrived_all"], answer["silent"]) == (0, False, "")
    assert manifest(tree.store) == before


@pytest.mark.fault(38)
def test_the_second_night_tells_each_damage_as_what_it_is(tree: OwnNode) -> None:
    """All by what is remembered of the first; what came since is taken in, and what is sound proven by the first."""
    link = Link(tree)
    night(link, 24)
    rewrite(tree, path(0), image(50))
    write(tree, path(1), image(51))
    write(tree, path(2), image(2)[:-1])
    (tree.store / path(3)).unlink()
    (tree.store / path(4)).unlink()
    (tree.store / path(4)).symlink_to("IM000006")
    rewrite(tree, "README.txt", b"What the trial is not about.\n"[:25])
    write(tree, "new/malware", b"MZ" + image(60)[2:])
    write(tree, "new/shapeless", image(61)[:-20])
    write(tree, "new/sound", image(62))
    told, answer = night(link, 25)
    assert (told["new"], told["gone"], told["replaced"]) == (3, 0, 0)
    assert deviations(answer) == {
        (path(0), "bit-rot"),
        (path(1), "modified"),
        (path(2), "size"),
        (path(3), "missing"),
        (path(4), "unreadable"),
        ("README.txt", "bit-rot"),
        ("new/malware", "executable-preamble"),
        ("new/shapeless", "header"),
    }
    assert answer["ledger"]["verified"] == {"archive": 0, "baseline": 5, "baselined": 1}
    assert answer["ledger"]["unconfirmed"] == 0
    for number in range(4):
        (tree.store / path(number)).unlink(missing_ok=True)
        write(tree, path(number), image(number))
    _, answer = night(link, 26)
    assert {name for name, _ in deviations(answer)} == {path(4), "README.txt", "new/malware", "new/shapeless"}


def test_what_is_young_has_time_to_be_written(tree: OwnNode) -> None:
    """It is taken in when it is older than the grace."""
    link, grace = Link(tree), timedelta(seconds=3)
    changed = (tree.store / "README.txt").stat().st_ctime
    told, _ = night(link, 24, grace=timedelta(days=1))
    assert (told["new"], told["objects"]) == (0, 0)
    while time.time() < changed + 3.1:
        time.sleep(0.1)
    write(tree, "young", image(11))
    told, _ = night(link, 25, grace=grace)
    assert told["new"] == 11


def test_what_is_no_file_is_told_and_not_followed(tree: OwnNode, tmp_path: Path) -> None:
    """A link, a pipe, a name that is no text; of two names of one file each is an object."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(image(99))
    (tree.store / "link").symlink_to(outside)
    (tree.store / "file").symlink_to(outside / "secret")
    os.mkfifo(tree.store / "pipe")
    (tree.store / os.fsdecode(b"\xff")).write_bytes(image(12))
    (tree.store / "again").hardlink_to(tree.store / path(0))
    told, answer = night(Link(tree), 24)
    assert (told["new"], told["objects"]) == (12, 12)
    assert answer["ledger"]["skipped"] == {"symlink": 2, "special": 1, "not-utf-8": 1}


def test_a_tree_that_is_not_mounted_is_not_read(tree: OwnNode) -> None:
    """Its folder is there and empty; the next night finds it as it was."""
    link = Link(tree)
    night(link, 24)
    tree.store.rename(tree.base / "aside")
    tree.store.mkdir()
    told, answer = night(link, 25)
    assert (told["stopped"], answer["store_present"], answer["ledger"]["lost"]) == ("no-store", False, "store")
    tree.store.rmdir()
    (tree.base / "aside").rename(tree.store)
    _, answer = night(link, 26)
    assert (answer["ledger"]["lost"], answer["ledger"]["verified"]["baseline"]) == ("", 11)


@pytest.mark.fault(40)
def test_another_tree_in_its_place_teaches_nothing(tree: OwnNode) -> None:
    """Its files are new and would hide that all others are gone: none is taken in, and nothing is told missing."""
    for number in range(10, 40):
        write(tree, path(number), image(number))
    link = Link(tree)
    night(link, 24)
    tree.store.rename(tree.base / "aside")
    for number in range(5000):
        write(tree, f"other/{number}", b"another tree")
    told, answer = night(link, 25, lost_share=0.01)
    assert (told["stopped"], told["new"], told["objects"]) == ("surprises", 0, 0)
    assert (answer["ledger"]["objects"], answer["ledger"]["lost"]) == (41, "surprises 41 of 41")
    assert deviations(answer) == set()


def test_much_that_is_deleted_is_told_in_one_night(tree: OwnNode) -> None:
    """Whatever is due then: the nights after it, with the usual share, take the tree for no lost one."""
    for number in range(10, 40):
        write(tree, path(number), image(number))
    link = Link(tree)
    night(link, 24)
    for number in range(25):
        (tree.store / path(number)).unlink()
    told, answer = night(link, 25, lost_share=0.9, quota=1)
    assert deviations(answer) == {(path(number), "missing") for number in range(25)}
    assert all(one["evidence"]["last_good_seconds_ago"] < 600 for one in answer["ledger"]["deviations"])
    told, answer = night(link, 26, lost_share=0.01)
    assert (told["stopped"], answer["ledger"]["lost"]) == ("nothing-left", "")
    assert len(deviations(answer)) == 25


def test_what_is_due_is_read_whatever_is_new(tree: OwnNode) -> None:
    """Nobody knew of it when the quota was set: it comes on top."""
    link = Link(tree)
    night(link, 24)
    write(tree, "new", image(70))
    told, answer = night(link, 25, quota=1)
    assert (told["stopped"], told["new"], told["objects"]) == ("quota", 1, 2)
    assert answer["ledger"]["verified"] == {"archive": 0, "baseline": 1, "baselined": 11}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_what_may_not_be_read_is_told(zipapp: bytes) -> None:
    """A file or a folder of which nothing is known is counted; what was known is unreadable."""
    base = Path(tempfile.mkdtemp(prefix="maintainer-tree-"))
    try:
        node = OwnNode(base, {"services": {}, "roots": {}, "store": str(base / "store"), "not_objects": []}, zipapp)
        hold(node.state)
        for each in (base, node.home, *node.home.rglob("*")):
            os.chown(each, 65534, 65534)
        node.how = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
        for number in range(3):
            write(node, path(number), image(number))
        link = Link(node, "/usr/bin/python3")
        night(link, 24)
        write(node, "secret", image(80))
        write(node, "closed/sound", image(81))
        for name in ("secret", "closed", path(0)):
            (node.store / name).chmod(0)
        told, answer = night(link, 25)
        assert (told["new"], answer["ledger"]["skipped"]) == (0, {"not-permitted": 2})
        assert deviations(answer) == {(path(0), "unreadable")}
    finally:
        shutil.rmtree(base)


def accepted(answer: Any) -> tuple[AsFound, ...]:
    """What a person accepts who is told all this."""
    told = answer["ledger"]["deviations"]
    return tuple(AsFound(key=one["key"], verdict=one["verdict"], sha256=one["evidence"].get("sha256")) for one in told)


def test_what_was_accepted_is_what_it_is_from_then_on(tree: OwnNode) -> None:
    """Whatever it has become: longer, of another kind, or gone; and its structure is looked at as a new file's."""
    link = Link(tree)
    night(link, 24)
    write(tree, path(0), image(50))
    write(tree, path(1), b"no image any more")
    write(tree, "README.txt", image(51))
    write(tree, path(3), b"MZ" + image(52)[2:])
    (tree.store / path(2)).unlink()
    _, answer = night(link, 25)
    assert len(deviations(answer)) == 5
    told, answer = night(link, 26, accepted=accepted(answer), quota=0)
    assert (told["accepted"], told["new"], told["gone"]) == (5, 0, 0)
    assert deviations(answer) == {(path(3), "executable-preamble")}
    assert (answer["ledger"]["objects"], answer["ledger"]["verified"]["baselined"]) == (10, 3)
    rewrite(tree, path(0), image(53))
    rewrite(tree, "README.txt", image(51)[:-1] + b"x")
    _, answer = night(link, 27)
    assert deviations(answer) == {
        (path(0), "bit-rot"),
        ("README.txt", "bit-rot"),
        (path(3), "executable-preamble"),
    }


def test_what_was_changed_after_it_was_accepted_is_told(tree: OwnNode) -> None:
    """Another content, one where there was to be none, or none where there was to be one: nobody accepted that."""
    link = Link(tree)
    night(link, 24)
    write(tree, path(0), image(50))
    write(tree, path(1), image(51))
    (tree.store / path(2)).unlink()
    _, answer = night(link, 25)
    words = accepted(answer)
    write(tree, path(0), image(60))
    (tree.store / path(1)).unlink()
    write(tree, path(2), image(61))
    told, answer = night(link, 26, accepted=words)
    assert told["accepted"] == 0
    assert deviations(answer) == {(path(0), "modified"), (path(1), "missing"), (path(2), "modified")}
    assert {word.sha256 for word in words}.isdisjoint(word.sha256 for word in accepted(answer) if word.sha256)
    for number in range(3):
        write(tree, path(number), image(number))
    _, answer = night(link, 27)
    assert deviations(answer) == set()
