"""An index that changes while its store is read, or is damaged itself: what is told of the store stays true."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from maintainer.archives import ArchiveProduct, product, product_of
from maintainer.links.store_index import NO_SIZE, Index
from maintainer.links.store_scan import Scanner
from maintainer.model.task import StoreScan
from tests.contract.archives import test_archive_orthanc as orthanc
from tests.contract.archives.dcm4chee import ON_NODE, SINCE_5_35, TO_DELETE, image, put, put_metadata, store, write
from tests.contract.archives.index import Index as Database
from tests.contract.archives.test_archive_ledger import Link, deviations, night
from tests.contract.node.own_node import OwnNode, hold

LARGEST = 2**63 - 1


def nothing(_program: str) -> None:
    """Nothing happens meanwhile."""


def scan(
    node: OwnNode,
    database: Database,
    *,
    before: Callable[[str], None] = nothing,
    after: Callable[[str], None] = nothing,
) -> set[tuple[str, str]]:
    """Scan, and let things happen before or after each question of the node."""

    def ask(program: str, request: Any) -> Any:
        before(program)
        answer = node.observe(program, **request)
        after(program)
        return answer

    scanner = Scanner(
        product=product_of(ON_NODE),
        scan=StoreScan(grace=timedelta(0), at_most=timedelta(minutes=5), resume="verified-up-to"),
        resume_after=0,
        rows=lambda text, parameters: database.ask(text, **parameters),
        ask=ask,
    )
    answer: Any = scanner.run()
    return {(one["path"], one["verdict"]) for one in answer["deviations"]}


def asked(database: Database, archive: ArchiveProduct) -> Index:
    return Index(archive, lambda text, parameters: database.ask(text, **parameters))


@pytest.mark.fault(39)
def test_what_the_archive_deletes_while_it_is_read_is_not_missing(node: OwnNode, dcm4chee: Database) -> None:
    """Row gone, or marked to be deleted, between the page of the index and the look at the disk; another is missing."""
    deleted, marked, missing, sound = (store(node, dcm4chee, pk) for pk in range(1, 5))

    def delete(program: str) -> None:
        if program == "store-verify":
            dcm4chee.connection.execute(b"DELETE FROM location WHERE pk = 1")
            dcm4chee.connection.execute("UPDATE location SET status = %s WHERE pk = 2", [TO_DELETE])
            for path in (deleted, marked, missing):
                (node.store / path).unlink()

    assert scan(node, dcm4chee, before=delete) == {(missing, "missing")}, sound


@pytest.mark.fault(39)
def test_what_the_archive_replaces_while_it_is_read_has_not_changed(node: OwnNode, dcm4chee: Database) -> None:
    """The same row tells another size by now: the next scan holds the file against that."""
    replaced, changed = store(node, dcm4chee, 1), store(node, dcm4chee, 2)

    def replace(program: str) -> None:
        if program == "store-verify":
            write(node, replaced, image(1) + bytes(8))
            write(node, changed, image(2) + bytes(8))
            dcm4chee.connection.execute(b"UPDATE location SET object_size = object_size + 8 WHERE pk = 1")

    assert scan(node, dcm4chee, before=replace) == {(changed, "size")}


@pytest.mark.fault(39)
def test_what_is_deleted_while_it_is_listed_is_no_orphan(node: OwnNode, dcm4chee: Database) -> None:
    """Its row was there when its file was listed, and neither is there any more; another is an orphan."""
    deleted = store(node, dcm4chee, 1)
    write(node, "fs1/2026/lost", image(90))

    def forget(program: str) -> None:
        if program == "store-list":
            dcm4chee.connection.execute(b"DELETE FROM location")

    def remove(_program: str) -> None:
        if not dcm4chee.ask("SELECT FROM location"):
            (node.store / deleted).unlink(missing_ok=True)

    assert scan(node, dcm4chee, before=remove, after=forget) == {("fs1/2026/lost", "orphan")}


@pytest.mark.parametrize("size", [-1, LARGEST])
def test_a_size_that_no_file_has_costs_a_finding_and_nothing_else(node: OwnNode, dcm4chee: Database, size: int) -> None:
    """Rows of an index may be damaged like anything else: the others are read, by a scan as by a ledger."""
    hold(node.state)
    paths = [store(node, dcm4chee, pk) for pk in range(1, 5)]
    dcm4chee.connection.execute("UPDATE location SET object_size = %s WHERE pk < 3", [size])
    expected = {(path, "size") for path in paths[:2]}
    assert scan(node, dcm4chee) == expected
    assert asked(dcm4chee, product_of(ON_NODE)).arrived(0).bytes == 2 * NO_SIZE + 2 * len(image(1))
    for day in (23, 24):
        told, answer = night(Link(node, dcm4chee), day)
        assert (told["objects"], told["replaced"], deviations(answer)) == (4, 0, expected)


@pytest.mark.fault(40)
def test_an_index_that_lists_nothing_is_not_followed(node: OwnNode, dcm4chee: Database) -> None:
    """However small the store: it was restored without its content, or another database was named."""
    hold(node.state)
    for pk in range(1, 25):
        store(node, dcm4chee, pk)
    link = Link(node, dcm4chee)
    night(link, 23)
    dcm4chee.connection.execute(b"DELETE FROM location")
    told, answer = night(link, 24)
    assert (told["gone"], answer["ledger"]["lost"], deviations(answer)) == (0, "index", set())
    assert answer["ledger"]["objects"] == 24


def test_an_index_is_asked_by_keys(make_index: Callable[[str], Database]) -> None:
    """Each product's answers what its list has under them, and nothing of what lies between."""
    at_dcm4chee, at_orthanc = make_index(SINCE_5_35), make_index(orthanc.SINCE_8)
    for number in (1, 3, 5):
        put(at_dcm4chee, number)
        put_metadata(at_dcm4chee, number)
        orthanc.put(at_orthanc, number)
    for database, archive in ((at_dcm4chee, product_of(ON_NODE)), (at_orthanc, product("orthanc"))):
        rows = {row["key"]: row for row in database.pages(archive, 100)}
        keys = [*rows]
        index = asked(database, archive)
        assert index.at([keys[-1], keys[1], keys[1] + 1, 10**15]) == {key: rows[key] for key in (keys[1], keys[-1])}
        assert (index.at([]), index.is_empty()) == ({}, False)
