"""What is asked of Orthanc's index in PostgreSQL.

The tables here are written down after its real ones, with the columns that are read. The real ones of its PostgreSQL
plugin after 2.1 (July 2018) and of 10.3 (PrepareIndex.sql) passed these tests too, put in by `ORTHANC_TABLES`; custom
data came with plugin 8. The lab asks the real Orthanc 1.10 with plugin 4.
"""

from collections.abc import Callable
from typing import Any

import pytest

from maintainer.archives import ArchiveProduct, product
from maintainer.planning.preparation import index_tables
from tests.contract.archives.index import Index, schemas

UNTIL_7 = """
CREATE TABLE attachedfiles (
    id int8, filetype int4, uuid varchar(64) NOT NULL, compressedsize int8, uncompressedsize int8, compressiontype int4,
    uncompressedhash varchar(40), compressedhash varchar(40), PRIMARY KEY (id, filetype)
);
CREATE TABLE dicomidentifiers (
    id int8, taggroup int4, tagelement int4, value text, PRIMARY KEY (id, taggroup, tagelement)
);
CREATE INDEX ON dicomidentifiers (value);
"""
SINCE_8 = UNTIL_7.replace("PRIMARY KEY (id, filetype)", "customdata bytea, PRIMARY KEY (id, filetype)")
TABLES = schemas({"until-7": UNTIL_7, "since-8": SINCE_8}, "ORTHANC_TABLES")
DICOM, JSON, UNTIL_PIXELS = 1, 2, 3
PLAIN, ZLIB = 1, 2


@pytest.fixture(params=TABLES)
def index(request: pytest.FixtureRequest, make_index: Callable[[str], Index]) -> Index:
    return make_index(TABLES[request.param])


@pytest.fixture
def archive() -> ArchiveProduct:
    return product("orthanc")


def put(index: Index, number: int, filetype: int = DICOM, compression: int = PLAIN, **changed: Any) -> str:
    """Insert a file of an instance; answers its path."""
    uuid = f"{number:04x}{filetype:04x}-0000-4000-8000-000000000000"
    row = {"id": number, "filetype": filetype, "uuid": uuid, "compressedsize": 100 + number, "uncompressedsize": 500}
    row |= {"compressiontype": compression, "uncompressedhash": "a" * 32, "compressedhash": f"{number:032x}"}
    index.insert("attachedfiles", **{**row, **changed})
    if filetype == DICOM:
        index.insert("dicomidentifiers", id=number, taggroup=8, tagelement=24, value=f"1.2.{number}")
        index.insert("dicomidentifiers", id=number, taggroup=16, tagelement=32, value="PATIENT")
    return f"{uuid[:2]}/{uuid[2:4]}/{uuid}"


@pytest.mark.parametrize("size", [1, 2, 100])
def test_pages_hold_every_file_once_in_the_order_of_their_keys(
    index: Index, archive: ArchiveProduct, size: int
) -> None:
    """A page may end between two files of one instance."""
    written = [put(index, number, kind) for number in (1, 2, 5) for kind in (DICOM, UNTIL_PIXELS, 1024)]
    rows = index.pages(archive, size)
    assert [row["path"] for row in rows] == written
    assert [row["key"] for row in rows] == [number * 65536 + kind for number in (1, 2, 5) for kind in (1, 3, 1024)]


def test_a_row_says_what_the_file_must_be(index: Index, archive: ArchiveProduct) -> None:
    """Only the object itself, stored as it came, is an image; size and digest are of the bytes on the disk."""
    put(index, 1)
    put(index, 1, JSON)
    put(index, 2, compression=ZLIB)
    put(index, 3, compressedhash="")
    rows = index.pages(archive, 10)
    assert [(row["kind"], row["sop_instance_uid"]) for row in rows] == [
        ("dicom", "1.2.1"),
        ("other", None),
        ("other", None),
        ("dicom", "1.2.3"),
    ]
    assert [(row["size"], row["algorithm"], row["digest"]) for row in rows[2:]] == [
        (102, "md5", f"{2:032x}"),
        (103, "md5", None),
    ]


def test_what_is_listed_is_told_from_what_is_not(index: Index, archive: ArchiveProduct) -> None:
    """A file that has the name of a listed one and lies elsewhere is not that one."""
    listed = [put(index, 1), put(index, 1, JSON)]
    strays = ["ff/ff/ffff0001-0000-4000-8000-000000000000", "aa/" + listed[0], "zz/zz/" + listed[0].split("/")[2], "a"]
    assert index.known(archive, *listed, *strays) == set(listed)
    assert index.unjudged(archive) == set()


@pytest.mark.parametrize("index", [name for name in TABLES if "customdata" in TABLES[name].lower()], indirect=True)
def test_where_another_plugin_chose_places_nothing_is_judged_by_them(index: Index, archive: ArchiveProduct) -> None:
    """Its paths may have patients' names in them, and are relative to folders that the index does not name."""
    first, empty = put(index, 1, customdata=None), put(index, 2, customdata=b"")
    assert [row["path"] for row in index.pages(archive, 10)] == [first, empty]
    assert index.known(archive, "DOE/1.dcm") == set()
    put(index, 3, customdata=b'{"v":1,"p":"DOE/1.dcm"}')
    assert [row["path"] for row in index.pages(archive, 10)] == [first, empty]
    assert index.known(archive, "DOE/1.dcm") == {"DOE/1.dcm"}
    assert index.ask(archive.copies_sql, uids=["1.2.3"]) == []
    assert index.unjudged(archive) == {("placed-by-plugin", "", 1)}


def test_an_instance_is_found_by_its_uid_alone(index: Index, archive: ArchiveProduct) -> None:
    """Nothing else that identifies a patient is asked or answered; its other files are no copies."""
    path = put(index, 1)
    put(index, 1, JSON)
    put(index, 2)
    (found,) = index.ask(archive.copies_sql, uids=["1.2.1", "PATIENT", "9"])
    assert tuple(found.values()) == ("1.2.1", path, 101, "md5", f"{1:032x}")


def test_a_page_is_read_along_the_keys(index: Index, archive: ArchiveProduct) -> None:
    """Whatever the size of the index, it is neither read nor sorted as a whole for a page."""
    index.connection.execute(b"SET session_replication_role = replica")
    files = "SELECT n, 1, gen_random_uuid(), 5, 5, 1, 'a', 'b' FROM generate_series(1, 50000) AS n"
    names = "id, filetype, uuid, compressedsize, uncompressedsize, compressiontype, uncompressedhash, compressedhash"
    index.connection.execute(f"INSERT INTO attachedfiles ({names}) {files}; ANALYZE".encode())
    plan = index.plan(archive.objects_sql, after=65536 * 20_000, limit=100)
    assert "attachedfiles_pkey" in plan
    assert "Seq Scan on attachedfiles" not in plan


def test_what_is_asked_for_is_joined_to_the_index(index: Index, archive: ArchiveProduct) -> None:
    """The index is read once for all of it; compared one by one, 2,000 files among a million take minutes."""
    put(index, 1)
    plan = index.plan(archive.known_sql, paths=[f"aa/aa/{n}" for n in range(2000)])
    assert "Hash Join" in plan or "Merge Join" in plan


def test_the_role_needs_no_more_than_it_is_granted(index: Index, archive: ArchiveProduct) -> None:
    """Preparing a node grants reading of the tables that the queries name."""
    path = put(index, 1)
    index.as_role("reader_of_orthanc", index_tables(archive.queries))
    try:
        assert [row["path"] for row in index.pages(archive, 10)] == [path]
        assert index.known(archive, path) == {path}
        assert len(index.ask(archive.copies_sql, uids=["1.2.1"])) == 1
        assert index.unjudged(archive) == set()
    finally:
        index.drop_role("reader_of_orthanc")
