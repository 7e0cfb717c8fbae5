"""How a node's ledger writes an object: what it is told comes out again, in few bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.node import store_objects, store_rows

ROWS: Any = store_rows
OBJECTS: Any = store_objects
UUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
SHA256 = bytes(range(32))


def unread(digest: bytes | None, algorithm: str = "md5", kind: str = "dicom", uid: bytes | None = None) -> Any:
    name, size, form, proof = OBJECTS.indexed(f"0f/1e/{UUID}", 5, kind, algorithm, digest, uid=uid)
    return OBJECTS.Row(1, name, size, form, proof, ROWS.NEVER, ROWS.UNKNOWN, ROWS.UNREAD, None)


@given(st.one_of(st.text(), st.uuids().map(str), st.uuids().map(lambda uuid: f"{uuid!s:.2}/{str(uuid)[2:4]}/{uuid}")))
def test_every_path_comes_out_as_it_went_in(path: str) -> None:
    """Whatever it is, and however much it looks like one that can be shortened."""
    assert ROWS.path_of(ROWS.name_of(path)) == path


@pytest.mark.parametrize(
    "path", [UUID, f"0f/1f/{UUID}", f"0F/1E/{UUID.upper()}", f"0f/1e/{UUID}\n", f"/0f/1e/{UUID}", f"0f/1e/{UUID}.dcm"]
)
def test_what_only_looks_like_one_of_orthanc_is_not_taken_for_one(path: str) -> None:
    """Sixteen bytes would stand for another file."""
    assert len(ROWS.name_of(path)) != 16
    assert ROWS.path_of(ROWS.name_of(path)) == path
    assert len(ROWS.name_of(f"0f/1e/{UUID}")) == 16


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("fs1/2026/11/24/0A1B2C3D/4E5F6071/8293A4B5", 23),
        ("online/2026/11/24/1.2.840.113619.2.1/1.2.840.113619.2.2/1.2.840.113619.2.3", 38),
        ("Ä/00000000/ffffffff/0-0", 15),
    ],
)
def test_what_ends_in_digits_takes_as_many_bytes_as_they_do(path: str, size: int) -> None:
    """Whichever archive writes them, and however many zeros are in front."""
    assert len(ROWS.name_of(path)) == size
    assert ROWS.path_of(ROWS.name_of(path)) == path


@given(st.text("fs/0123456789ABCDEF-.é\udc80", min_size=15, max_size=60), st.text("/0123456789ABCDEF", max_size=60))
def test_no_two_paths_are_written_alike(head: str, tail: str) -> None:
    """Also where what could be shortened follows what could not, is as long as a UUID, or begins with zeros."""
    for path in (head + tail, "0" + tail, tail):
        assert ROWS.path_of(ROWS.name_of(path)) == path


@pytest.mark.parametrize(("algorithm", "size"), [("md5", 16), ("sha1", 20), ("sha256", 32), ("sha512", 64)])
@pytest.mark.parametrize("kind", ["dicom", "other"])
def test_before_it_is_read_the_archives_digest_is_kept_then_ours(algorithm: str, size: int, kind: str) -> None:
    """What is not known yet has its place kept, so that the row takes no more bytes afterwards."""
    digest = bytes(range(100, 100 + size))
    row = unread(digest, algorithm, kind, b"12345678")
    assert (row.digest, row.uid, row.sha256, row.algorithm, row.kind) == (digest, b"12345678", None, algorithm, kind)
    read = row._replace(proof=row.read_with(SHA256), mtime_ns=1, verdict=ROWS.ARCHIVE, looked=ROWS.NEVER + 1)
    assert (read.digest, read.uid, read.sha256, read.has_digest) == (None, None, SHA256, True)
    assert len(read.proof) <= len(row.proof)
    assert (row.good, read.good, read._replace(verdict=ROWS.FIRST_DEVIATION, noted=7).good) == (None, 257, 7)


def test_without_a_digest_of_the_archive_there_is_none() -> None:
    """And one of zeros is one."""
    assert (unread(None).digest, unread(None).uid, unread(None).has_digest) == (None, None, False)
    assert unread(None, uid=b"12345678").uid == b"12345678"
    assert (unread(bytes(16)).digest, unread(bytes(16)).has_digest) == (bytes(16), True)


SAME: list[dict[str, Any]] = [{}, {"digest": bytes(15) + b"\1"}]
OTHER: list[dict[str, Any]] = [
    {"path": "a"},
    {"size": 6},
    {"kind": "other"},
    {"algorithm": "sha1"},
    {"digest": None},
    {"digest": b"\1" + bytes(15)},
]


@pytest.mark.parametrize("changed", [*SAME, *OTHER])
def test_an_index_that_tells_another_object_is_noticed(changed: dict[str, Any]) -> None:
    """By four bytes of the digest, also after it was read; a replaced object would be told else as a modified one."""
    told = {"path": "b", "size": 5, "kind": "dicom", "algorithm": "md5", "digest": bytes(16)}
    known = OBJECTS.indexed(**told)
    read = (*known[:3], known[3][:4] + SHA256)
    for before in (known, read):
        assert OBJECTS.is_same(before, OBJECTS.indexed(**{**told, **changed})) is (changed in SAME)
