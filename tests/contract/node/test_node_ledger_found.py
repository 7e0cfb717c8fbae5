"""What a night finds of each object: told as what it is, until it is sound again or the index says otherwise."""

import hashlib
import io
import os

import pydicom
import pytest

from tests.contract.node.images import image
from tests.contract.node.ledger_nights import deviations, learn, look, put, read, row, with_six_images
from tests.contract.node.own_node import OwnNode

UID = bytes(pydicom.dcmread(io.BytesIO(image(0))).SOPInstanceUID, "ascii")


@pytest.fixture
def node(own_node: OwnNode) -> OwnNode:
    return with_six_images(own_node)


@pytest.mark.fault(38)
def test_each_change_is_told_as_what_it_is(node: OwnNode) -> None:
    """Same size and time is bit rot, another time a modification; what was good is known with its time."""
    learn(node, *map(row, range(6)))
    read(node)
    for number in (0, 4):
        file = node.store / "aa" / str(number)
        at = file.stat().st_mtime_ns
        put(node, number, image(number + 50))
        os.utime(file, ns=(at, at))
    put(node, 1, image(51))
    put(node, 2, image(2)[:-1])
    (node.store / "aa" / "3").unlink()
    put(node, 9)
    read(node)
    assert look(node)["ledger"]["unconfirmed"] == 6
    assert deviations(node) == {
        "aa/0": "bit-rot",
        "aa/4": "bit-rot",
        "aa/1": "modified",
        "aa/2": "size",
        "aa/3": "missing",
        "aa/9": "orphan",
    }
    assert look(node)["ledger"]["unconfirmed"] == 0
    evidence = {path: evidence for path, _, evidence, _ in look(node)["ledger"]["deviations"]}
    assert 0 <= evidence["aa/0"]["last_good_seconds_ago"] < 1000
    assert (evidence["aa/2"]["expected"], evidence["aa/2"]["found"]) == (len(image(2)), len(image(2)) - 1)


def test_what_is_repaired_is_sound_again(node: OwnNode) -> None:
    """A deviating object is read again each night, before what is merely old."""
    put(node, 0, image(50))
    learn(node, *map(row, range(6)))
    read(node)
    assert deviations(node) == {"aa/0": "digest"}
    put(node, 0)
    assert read(node, bytes=0)["objects"] == 1
    assert deviations(node) == {}
    assert look(node)["ledger"]["verified"]["archive"] == 4


@pytest.mark.fault(39)
def test_what_the_archive_replaced_or_deleted_is_no_deviation(node: OwnNode) -> None:
    """The index tells another digest, or the object no longer: the ledger follows, and forgets what it found."""
    learn(node, *map(row, range(6)))
    read(node)
    put(node, 0, image(50))
    (node.store / "aa" / "1").unlink()
    read(node)
    assert deviations(node) == {"aa/0": "modified", "aa/1": "missing"}
    digest = hashlib.md5(image(50), usedforsecurity=False).hexdigest()
    told = learn(node, row(0, digest=digest), *map(row, range(2, 6)))
    assert told == {"new": 0, "replaced": 1, "gone": 1, "lost": False}
    assert read(node, bytes=0)["objects"] == 1
    assert deviations(node) == {}
    assert look(node)["ledger"]["objects"] == 5


def test_another_instance_than_the_indexs_is_told_until_it_is_that_one(node: OwnNode) -> None:
    """Its bytes are those of the archive's digest, night after night; then the index names the instance that it is."""
    uid, other = (hashlib.sha256(uid).digest()[:8].hex() for uid in (UID, b"1.2.3"))
    learn(node, row(0, uid=other), row(1, uid=uid), row(4, uid=other), *map(row, (2, 3, 5)))
    for _ in range(2):
        read(node)
        assert deviations(node) == {"aa/0": "header", "aa/4": "header"}
        assert look(node)["ledger"]["deviations"][0][2]["why"] == "other-instance"
    for size in (1, len(image(0))):
        learn(node, row(0, uid=uid, size=size), row(1, uid=uid), row(4, uid=other), *map(row, (2, 3, 5)))
    read(node)
    assert deviations(node) == {"aa/4": "header"}


def test_an_executable_preamble_hides_no_other_instance(node: OwnNode) -> None:
    """Both are told, night after night: what is not the instance of the index is nobody's baseline."""
    other = hashlib.sha256(b"1.2.3").digest()[:8].hex()
    put(node, 4, b"MZ" + image(4)[2:])
    learn(node, row(4, uid=other), *map(row, (0, 1, 2, 3, 5)))
    for _ in range(2):
        read(node)
        assert deviations(node) == {"aa/4": "executable-preamble"}
        assert look(node)["ledger"]["deviations"][0][2]["header"] == "other-instance"


def test_a_time_of_change_may_be_any(node: OwnNode) -> None:
    """Also one that no ledger can write: the object is read, and what changes in it under that time is bit rot."""
    for _ in range(2):
        for number, at in ((0, 15_000_000_000), (1, -2_000_000_000)):
            os.utime(node.store / "aa" / str(number), (at, at))
        learn(node, *map(row, range(6)))
        assert read(node)["objects"] == 6
        put(node, 0, image(50))
        put(node, 1, image(51))
    assert deviations(node) == {"aa/0": "bit-rot", "aa/1": "bit-rot"}
