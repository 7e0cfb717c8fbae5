"""The store is compared with the index, object by object, and only ever read."""

import base64
import hashlib
import os
import struct
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import CouldNotLook
from tests.contract.node.images import IMAGE, image
from tests.contract.node.own_node import OwnNode, manifest

UID = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"


@pytest.fixture
def store(own_node: OwnNode) -> OwnNode:
    """A node with a small store of real images."""
    for number in range(4):
        put(own_node, f"aa/{number}", image(number))
    return own_node


def put(node: OwnNode, path: str, content: bytes) -> None:
    file = node.store / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def indexed(number: int, algorithm: str = "md5", **changed: Any) -> list[Any]:
    content = image(number)
    row = {
        "key": number,
        "path": f"aa/{number}",
        "size": len(content),
        "algorithm": algorithm,
        "digest": hashlib.new(algorithm, content).hexdigest(),
        **changed,
    }
    return list(row.values())


def verify(node: OwnNode, *rows: list[Any]) -> Any:
    """Ask, and prove that asking has changed nothing."""
    before = manifest(node.store)
    answer = node.observe("store-verify", objects=list(rows))
    assert manifest(node.store) == before
    return answer


def verdicts(node: OwnNode, *rows: list[Any]) -> list[tuple[Any, str]]:
    return [(key, verdict) for key, verdict, _ in verify(node, *rows)["deviations"]]


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_a_sound_store_has_no_deviation(store: OwnNode, algorithm: str) -> None:
    """Objects as the index says them are counted, and nothing is said of them."""
    answer = verify(store, *(indexed(n, algorithm) for n in range(4)))
    assert answer == {
        "store_present": True,
        "checked": 4,
        "bytes": 4 * len(IMAGE),
        "deviations": [],
        "reached": 3,
    }


@pytest.mark.fault(38)
def test_each_damage_is_found_as_what_it_is(store: OwnNode) -> None:
    """Flipped, truncated, emptied, deleted, replaced: each has its own verdict and evidence."""
    flipped = bytearray(image(0))
    flipped[-100] ^= 1
    put(store, "aa/0", bytes(flipped))
    put(store, "aa/1", image(1)[:1000])
    put(store, "aa/2", b"")
    (store.store / "aa/3").unlink()
    put(store, "aa/4", b"x" * len(IMAGE))
    found = {
        key: (verdict, evidence) for key, verdict, evidence in verify(store, *map(indexed, range(5)))["deviations"]
    }
    assert {key: verdict for key, (verdict, _) in found.items()} == {
        0: "digest",
        1: "size",
        2: "size",
        3: "missing",
        4: "digest",
    }
    assert found[0][1]["header"] == "sound"
    assert (found[1][1]["found"], found[1][1]["expected"], found[1][1]["header"]) == (1000, len(IMAGE), "past-end")
    assert found[2][1]["found"] == 0
    assert found[4][1]["header"] == "not-dicom"


def test_without_a_digest_the_header_speaks(store: OwnNode) -> None:
    """Where the index keeps no digest, size and header are still compared."""
    put(store, "aa/0", image(0)[:128] + b"NOPE" + image(0)[132:])
    answer = verify(store, indexed(0, digest=None), indexed(1, digest=None))
    assert answer["deviations"] == [[0, "header", {"why": "not-dicom", "offset": 128, "size": len(IMAGE)}]]


@pytest.mark.parametrize(("magic", "word"), [(b"MZ", "mz"), (b"\x7fELF", "elf"), (b"#!/bin/sh\n", "script")])
def test_executable_preamble_is_found(store: OwnNode, magic: bytes, word: str) -> None:
    """An image that an operating system would run is reported though its digest and header are in order."""
    polyglot = magic + image(0)[len(magic) :]
    put(store, "aa/0", polyglot)
    answer = verify(store, indexed(0, digest=hashlib.md5(polyglot, usedforsecurity=False).hexdigest()))
    assert answer["deviations"] == [[0, "executable-preamble", {"looks_like": word, "header": "sound"}]]


def test_paths_cannot_lead_out(store: OwnNode) -> None:
    """Absolute paths, `..` and links, also in the middle of a path, are never opened."""
    put(store, "secret", image(0))
    (store.base / "secret").write_bytes(image(0))
    (store.store / "link").symlink_to(store.store / "aa/0")
    (store.store / "folder").symlink_to(store.store / "aa")
    paths = [
        "../secret",
        str(store.base / "secret"),
        "aa/../secret",
        "",
        "aa//0",
        "./secret",
        "link",
        "folder/0",
        "a\0b",
    ]
    answer = verify(store, *(indexed(0, key=n, path=path) for n, path in enumerate(paths)))
    reasons = [(verdict, evidence["why"]) for _, verdict, evidence in answer["deviations"]]
    assert reasons == [("unreadable", "path-refused")] * 6 + [("unreadable", "symlink")] * 2 + [
        ("unreadable", "path-refused")
    ]
    assert answer["bytes"] == 0


def test_what_is_no_file_is_unreadable(store: OwnNode) -> None:
    """A folder or a FIFO under an object's path is said to be so at once: nothing waits for a writer."""
    os.mkfifo(store.store / "fifo")
    answer = verify(store, indexed(0, path="fifo"), indexed(1, path="aa"), indexed(2, path="aa/2/deeper"))
    assert [(verdict, evidence.get("why")) for _, verdict, evidence in answer["deviations"]] == [
        ("unreadable", "not-a-file"),
        ("unreadable", "not-a-file"),
        ("missing", None),
    ]


def test_large_objects_are_read_in_pieces(store: OwnNode) -> None:
    """An object larger than the buffer has the digest of all its pieces, and a header walked to its end."""
    rows, columns, pixels = 2500, 1001, os.urandom(2500 * 1001 * 2)
    head = IMAGE[: IMAGE.index(b"\xe0\x7f\x10\x00OW")]
    for element, edge in ((b"\x28\0\x10\0US\x02\0", rows), (b"\x28\0\x11\0US\x02\0", columns)):
        head = head.replace(element + struct.pack("<H", 128), element + struct.pack("<H", edge))
    large = head + b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<L", len(pixels)) + pixels
    put(store, "large", large)
    digest = hashlib.sha256(large).hexdigest()
    row = [9, "large", len(large), "sha256", digest]
    assert verify(store, row)["deviations"] == []
    put(store, "large", large[:-1])
    ((_, verdict, evidence),) = verify(store, row)["deviations"]
    assert (verdict, evidence["header"]) == ("size", "past-end")


def test_the_pixels_of_another_image_are_too_short(store: OwnNode) -> None:
    """Fewer pixels than rows and columns need are told where the index keeps no digest."""
    put(store, "aa/0", IMAGE.replace(b"\x28\0\x10\0US\x02\0\x80\0", b"\x28\0\x10\0US\x02\0\x81\0"))
    ((_, verdict, evidence),) = verify(store, indexed(0, digest=None))["deviations"]
    assert (verdict, evidence["why"]) == ("header", "pixels-too-short")


def test_an_object_under_the_name_of_another_is_told(store: OwnNode) -> None:
    """A sound object that is not the SOP instance of the index is found without a digest; the right one is not."""
    sound = [*indexed(0, digest=None), "dicom", UID]
    other = [*indexed(1, digest=None), "dicom", "1.2.3"]
    unknown = [*indexed(2, digest=None), "dicom", None]
    assert verify(store, sound, other, unknown)["deviations"] == [
        [1, "header", {"why": "other-instance", "offset": 0, "size": len(IMAGE)}]
    ]


@pytest.mark.fault(40)
@pytest.mark.parametrize("gone", ["empty", "missing"])
def test_a_lost_mount_is_one_fact(own_node: OwnNode, gone: str) -> None:
    """An empty or missing store is said once, not as an object missing for each row."""
    if gone == "missing":
        own_node.store.rmdir()
    answer = own_node.observe("store-verify", objects=[indexed(n) for n in range(4)])
    assert answer == {"store_present": False, "checked": 0, "bytes": 0, "deviations": [], "reached": None}
    listing = own_node.observe("store-list", after="", limit=10, grace_seconds=0)
    assert (listing["store_present"], listing["files"], listing["more"]) == (False, [], False)


def test_stops_in_time_and_says_where(store: OwnNode) -> None:
    """Before the deadline it answers with what it has, and a second request goes on from there."""
    with (store.store / "large").open("wb") as file:
        file.truncate(3_000_000_000)
    rows = [indexed(0), [1, "large", 3_000_000_000, "sha512", None], indexed(2)]
    rows[1][4] = "0" * 128
    program = store.program()
    answer = program.observe("store-verify", {"objects": rows}, timedelta(seconds=3))
    assert isinstance(answer, dict)
    assert (answer["checked"], answer["reached"]) == (1, 0)


@pytest.mark.fault(39)
def test_a_writer_makes_no_false_finding(store: OwnNode) -> None:
    """Objects that are replaced by rename or come and go during the check are right or missing, never damaged."""
    over = threading.Event()

    def churn() -> None:
        while not over.is_set():
            put(store, "aa/new.tmp", image(0))
            (store.store / "aa/new.tmp").rename(store.store / "aa/0")

    writer = threading.Thread(target=churn)
    writer.start()
    try:
        answer = store.observe("store-verify", objects=[indexed(0, key=n) for n in range(3000)])
    finally:
        over.set()
        writer.join()
    assert (answer["checked"], answer["deviations"]) == (3000, [])


def test_requests_are_checked(store: OwnNode) -> None:
    """A malformed object is a bad request, not a finding."""
    for row in ([1], [1, "a", -1, "md5", None], [1, "a", 1, "crc32", None], [1, "a", 1, "md5", "xyz"], [None] * 5):
        with pytest.raises(CouldNotLook, match="an object"):
            store.observe("store-verify", objects=[row])


def listed(node: OwnNode, limit: int) -> list[str]:
    """All files, asked for in pieces of `limit`."""
    files: list[str] = []
    while True:
        answer = node.observe("store-list", after=files[-1] if files else "", limit=limit, grace_seconds=0)
        files += answer["files"]
        if not answer["more"]:
            return files


def test_lists_in_byte_order_and_goes_on(own_node: OwnNode) -> None:
    """Whatever the size of the pieces, every file is listed once, in byte order of the whole path."""
    paths = ["a/x", "a-b/x", "a.b", "a0", "a/b/c", "b", "é/x", "z/\U0001f600", "a/b.c", "ab/x"]
    for path in paths:
        put(own_node, path, b"x")
    expected = sorted(paths, key=str.encode)
    for limit in (1, 2, 3, 100):
        assert listed(own_node, limit) == expected


def test_lists_objects_only(own_node: OwnNode) -> None:
    """Half-written files, links, FIFOs, young files and names that are no text are counted, not listed."""
    for path in ("one", "half.tmp"):
        put(own_node, path, b"x")
    (own_node.store / "link").symlink_to("one")
    os.mkfifo(own_node.store / "fifo")
    Path(os.fsdecode(os.fsencode(own_node.store) + b"/\xff")).write_bytes(b"x")
    answer = own_node.observe("store-list", after="", limit=10, grace_seconds=0)
    assert (answer["files"], answer["more"]) == (["one"], False)
    assert answer["skipped"] == {"not-object": 1, "symlink": 1, "special": 1, "not-utf-8": 1}
    answer = own_node.observe("store-list", after="", limit=10, grace_seconds=3600)
    assert (answer["files"], answer["young"]) == ([], 1)


def test_first_bytes_of_a_suspect(store: OwnNode) -> None:
    """The head of an object can be fetched for a closer look, and nothing outside the store."""
    answer = store.observe("store-header", path="aa/0", limit=132)
    assert base64.b64decode(answer["bytes_base64"]) == IMAGE[:132]
    with pytest.raises(CouldNotLook):
        store.observe("store-header", path="../policy", limit=10)
    with pytest.raises(CouldNotLook, match="No such file"):
        store.observe("store-header", path="aa/9", limit=10)
