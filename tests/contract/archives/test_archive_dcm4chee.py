"""What is asked of dcm4chee-arc's index.

The tables here are written down after its real ones, with the columns that are read: same names, types and codes. The
real ones of 5.28.0, 5.29.0 and 5.35.0 (create-psql.sql) passed these tests too, put in by `DCM4CHEE_TABLES`; those of
5.8 to 5.27 were compared by the entity classes and update scripts of these releases.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from maintainer.archives import ArchiveProduct, product_of
from maintainer.model.inventory import Store
from maintainer.planning.preparation import index_tables
from tests.contract.archives.dcm4chee import (
    AGAIN_TO_DELETE,
    ANOTHER_SIZE,
    FAILED_TO_DELETE,
    KEPT,
    MISSING,
    OFFLINE,
    OK,
    SINCE_5_35,
    TO_DELETE,
    UNTIL_5_29,
    put,
    put_metadata,
)
from tests.contract.archives.index import Index, schemas

STORE = Store(archive="dcm4chee", path="/var/local/dcm4chee-arc", storages={"fs1": "fs1", "meta": "online/metadata"})
TABLES = schemas({"until-5.29": UNTIL_5_29, "since-5.35": SINCE_5_35}, "DCM4CHEE_TABLES")


@pytest.fixture(params=TABLES)
def index(request: pytest.FixtureRequest, make_index: Callable[[str], Index]) -> Index:
    return make_index(TABLES[request.param])


@pytest.fixture
def archive() -> ArchiveProduct:
    return product_of(STORE)


def paths(rows: list[dict[str, Any]]) -> list[str]:
    return [row["path"] for row in rows]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_hold_every_file_once_in_the_order_of_their_keys(
    index: Index, archive: ArchiveProduct, size: int
) -> None:
    """Objects and the metadata of series have numbers of their own; a page may end between two of the same."""
    for pk in (1, 2, 3, 7):
        put(index, pk)
    for pk in (2, 3, 4, 9):
        put_metadata(index, pk)
    rows = index.pages(archive, size)
    assert [row["key"] for row in rows] == [2, 4, 5, 6, 7, 9, 14, 19]
    objects, metadata = [f"fs1/2026/{pk}" for pk in (1, 2, 3, 7)], [f"online/metadata/2026/{pk}" for pk in (2, 3, 4, 9)]
    assert sorted(paths(rows)) == sorted(objects + metadata)


def test_a_row_says_what_the_file_must_be(index: Index, archive: ArchiveProduct) -> None:
    """Size and digest of the bytes on the disk, and whether they are an image."""
    put(index, 1)
    put(index, 2, object_type=1)
    put_metadata(index, 3)
    assert index.pages(archive, 10) == [
        {
            "key": 2,
            "path": "fs1/2026/1",
            "size": 101,
            "algorithm": "md5",
            "digest": f"{1:032x}",
            "kind": "dicom",
            "sop_instance_uid": "1.2.1",
        },
        {
            "key": 4,
            "path": "fs1/2026/2",
            "size": 102,
            "algorithm": "md5",
            "digest": f"{2:032x}",
            "kind": "other",
            "sop_instance_uid": None,
        },
        {
            "key": 7,
            "path": "online/metadata/2026/3",
            "size": 9,
            "algorithm": "md5",
            "digest": "b" * 32,
            "kind": "other",
            "sop_instance_uid": None,
        },
    ]


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha384", "sha512"])
def test_the_length_of_a_digest_tells_its_algorithm(index: Index, archive: ArchiveProduct, algorithm: str) -> None:
    """It is a setting of the storage, which the database does not have."""
    digest = hashlib.new(algorithm, b"image").hexdigest()
    put(index, 1, digest=digest)
    (row,) = index.pages(archive, 10)
    assert (row["algorithm"], row["digest"]) == (algorithm, digest)


@pytest.mark.parametrize("digest", [None, "", "abc"])
def test_without_a_digest_there_is_none(index: Index, archive: ArchiveProduct, digest: str | None) -> None:
    """A storage may be set to have no digest; nothing is compared with half of one."""
    put(index, 1, digest=digest)
    (row,) = index.pages(archive, 10)
    assert row["digest"] is None


def test_what_is_to_be_deleted_is_neither_missing_nor_an_orphan(index: Index, archive: ArchiveProduct) -> None:
    """The archive removes the file first and the row after it, and tries again where it fails."""
    for pk, status in enumerate((OK, TO_DELETE, FAILED_TO_DELETE, AGAIN_TO_DELETE), start=1):
        put(index, pk, status=status)
    put_metadata(index, 5, status=TO_DELETE)
    assert paths(index.pages(archive, 10)) == ["fs1/2026/1"]
    listed = {"online/metadata/2026/5", *(f"fs1/2026/{pk}" for pk in (1, 2, 3, 4))}
    assert index.known(archive, "fs1/2026/6", *listed) == listed
    assert index.unjudged(archive) == set()


def test_what_the_archive_reports_itself_is_told_as_its_report(index: Index, archive: ArchiveProduct) -> None:
    """What it found missing is not looked for again; what it found otherwise is, and one may be wrong."""
    put(index, 1, status=MISSING)
    put(index, 2, status=ANOTHER_SIZE)
    put(index, 3, status=KEPT, instance_fk=None)
    put_metadata(index, 4, status=MISSING)
    assert [(row["path"], row["sop_instance_uid"]) for row in index.pages(archive, 10)] == [
        ("fs1/2026/2", "1.2.2"),
        ("fs1/2026/3", None),
    ]
    reports = {("archive-reports-missing", "fs1", 1), ("archive-reports-missing", "meta", 1)}
    assert index.unjudged(archive) == {*reports, ("archive-reports-differing", "fs1", 1)}


def test_what_no_file_can_be_held_against_is_counted(index: Index, archive: ArchiveProduct) -> None:
    """Entries of archive files, what lies on tape, and storages of which the inventory does not say where they are."""
    put(index, 1)
    put(index, 2, path="2026/series.tar!1")
    put(index, 3, path="2026/series.tar!2")
    put(index, 4, status=OFFLINE)
    put(index, 5, storage_id="s3", path="2026/other.tar!1")
    put_metadata(index, 6, storage_id="s3")
    assert paths(index.pages(archive, 10)) == ["fs1/2026/1"]
    counted = {("kept-in-archive-files", "fs1", 2), ("kept-on-tape", "fs1", 1), ("storage-not-declared", "s3", 2)}
    assert index.unjudged(archive) == counted
    asked = ["fs1/2026/series.tar", "fs1/2026/4", "fs1/2026/other.tar"]
    assert index.known(archive, *asked) == set(asked[:2])


def test_a_file_outside_every_declared_storage_is_no_orphan(index: Index, archive: ArchiveProduct) -> None:
    """Below the common folder may lie storages of which nothing is asked; a name that begins alike is another one."""
    put(index, 1)
    assert index.known(archive, "fs1/lost", "fs10/file", "s3cache/file") == {"fs10/file", "s3cache/file"}


def test_no_file_is_an_orphan_where_instance_records_were_purged(index: Index, archive: ArchiveProduct) -> None:
    """The rows of such a series are gone, its files are not: only its metadata knows them, and is itself verified."""
    put(index, 1)
    put_metadata(index, 2)
    index.insert("series", pk=1, inst_purge_state=0)
    index.insert("series", pk=2, inst_purge_state=2)
    assert index.known(archive, "fs1/of-purged") == set()
    index.insert("series", pk=3, inst_purge_state=1)
    assert index.known(archive, "fs1/of-purged") == {"fs1/of-purged"}
    assert index.unjudged(archive) == {("instance-records-purged", "", 1)}
    assert paths(index.pages(archive, 10)) == ["fs1/2026/1", "online/metadata/2026/2"]


def test_a_file_that_several_instances_share_is_listed_once(index: Index, archive: ArchiveProduct) -> None:
    """Of a copy under other UIDs the file has the first ones, and is no copy of that instance."""
    put(index, 1, path="shared", multi_ref=5, status=TO_DELETE)
    put(index, 2, path="shared", multi_ref=5, uidmap_fk=8)
    put(index, 3, path="shared", multi_ref=5)
    put(index, 4, path="elsewhere", multi_ref=5)
    rows = [(row["path"], row["sop_instance_uid"]) for row in index.pages(archive, 10)]
    assert rows == [("fs1/shared", None), ("fs1/elsewhere", "1.2.4")]
    assert paths(index.ask(archive.copies_sql, uids=["1.2.1", "1.2.2"])) == []


def test_an_instance_is_found_in_every_storage_that_holds_it(index: Index, archive: ArchiveProduct) -> None:
    """Another archive asks for a good copy; of what is not a file here there is none."""
    put(index, 1)
    put(index, 2, "copy", storage_id="meta", digest="c" * 40, instance_fk=1)
    put(index, 3, "copy", storage_id="s3", instance_fk=1)
    put(index, 4)
    found = index.ask(archive.copies_sql, uids=["1.2.1", "1.2.3"])
    assert sorted(tuple(row.values()) for row in found) == [
        ("1.2.1", "fs1/2026/1", 101, "md5", f"{1:032x}"),
        ("1.2.1", "online/metadata/copy", 102, "sha1", "c" * 40),
    ]


def test_a_single_storage_may_be_the_folder_itself(index: Index) -> None:
    """Then paths are those of the index, and every file of the folder is one to be known."""
    archive = product_of(STORE.model_copy(update={"storages": {"fs1": "."}}))
    put(index, 1)
    assert paths(index.pages(archive, 10)) == ["2026/1"]
    assert index.known(archive, "2026/1", "2026/2") == {"2026/1"}


def test_counting_what_is_listed_needs_no_page(index: Index, archive: ArchiveProduct) -> None:
    """The ledger compares sums of the whole list, whose query it wraps."""
    for pk in range(1, 4):
        put(index, pk)
    put_metadata(index, 4)
    sums = "SELECT count(*), sum(key)::int8 AS keys, sum(size)::int8 AS bytes FROM"
    whole = index.ask(f"{sums} ({archive.objects_sql}) AS listed", after=0, limit=1 << 60)
    assert whole == [{"count": 4, "keys": 2 + 4 + 6 + 9, "bytes": 306 + 9}]


def test_a_page_is_read_along_the_keys(index: Index, archive: ArchiveProduct) -> None:
    """Whatever the size of the index, the tables are neither read as a whole nor sorted as a whole for it."""
    put(index, 1)
    index.copy("location", 50_000)
    plan = index.plan(archive.objects_sql, after=20_000, limit=100)
    assert "location_pkey" in plan
    assert "Seq Scan on location" not in plan


def test_the_role_needs_no_more_than_it_is_granted(index: Index, archive: ArchiveProduct) -> None:
    """Preparing a node grants reading of the tables that the queries name."""
    put(index, 1)
    index.as_role("reader_of_dcm4chee", index_tables(archive.queries))
    try:
        assert paths(index.pages(archive, 10)) == ["fs1/2026/1"]
        assert index.known(archive, "fs1/2026/1") == {"fs1/2026/1"}
        assert len(index.ask(archive.copies_sql, uids=["1.2.1"])) == 1
        assert index.unjudged(archive) == set()
    finally:
        index.drop_role("reader_of_dcm4chee")
