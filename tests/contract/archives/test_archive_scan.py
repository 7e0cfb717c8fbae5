"""A whole scan of a dcm4chee store: its index in a real PostgreSQL, the node's real program on real files."""

import hashlib
from datetime import timedelta
from typing import Any

from maintainer.archives import product_of
from maintainer.links.store_scan import Scanner
from maintainer.model.task import StoreScan
from tests.contract.archives.dcm4chee import (
    MISSING,
    OFFLINE,
    ON_NODE,
    TO_DELETE,
    image,
    put,
    put_metadata,
    store,
    write,
)
from tests.contract.archives.index import Index
from tests.contract.node.own_node import OwnNode, manifest


def scan(node: OwnNode, dcm4chee: Index) -> Any:
    """Scan everything, and prove that it changed nothing."""
    before = manifest(node.store)
    scanner = Scanner(
        product=product_of(ON_NODE),
        scan=StoreScan(grace=timedelta(0), at_most=timedelta(minutes=5), resume="verified-up-to"),
        resume_after=0,
        rows=lambda text, parameters: dcm4chee.ask(text, **parameters),
        ask=lambda program, request: node.observe(program, **request),
    )
    answer = scanner.run()
    assert manifest(node.store) == before
    return answer


def found(answer: Any) -> set[tuple[str, str]]:
    return {(deviation["path"], deviation["verdict"]) for deviation in answer["deviations"]}


def test_exactly_what_is_wrong_is_found_in_every_storage(node: OwnNode, dcm4chee: Index) -> None:
    """Sound objects and what the archive itself removes, moves or keeps elsewhere are no findings."""
    for pk in range(1, 9):
        store(node, dcm4chee, pk, "fs1" if pk % 2 else "fs2")
    write(node, "fs1/2026/11/00000001", image(1)[:-200] + bytes(200))
    write(node, "second/fs2/2026/11/00000002", image(2)[:1000])
    (node.store / "fs1/2026/11/00000003").unlink()
    write(node, "fs1/2026/lost", image(90))
    write(node, "metadata/2026/9.zip", b"PK metadata")
    put_metadata(dcm4chee, 9, storage_path="2026/9.zip", object_size=11, digest="0" * 32)
    (node.store / store(node, dcm4chee, 10, status=TO_DELETE)).unlink()
    store(node, dcm4chee, 11, status=TO_DELETE)
    (node.store / store(node, dcm4chee, 12, status=MISSING)).unlink()
    (node.store / store(node, dcm4chee, 13, status=OFFLINE)).unlink()
    store(node, dcm4chee, 14, storage="elsewhere")
    write(node, "fs1/2026/series.tar", b"TAR")
    put(dcm4chee, 15, "2026/series.tar!1")
    write(node, "fs1/NO_MOUNT", b"")
    answer = scan(node, dcm4chee)
    assert found(answer) == {
        ("fs1/2026/11/00000001", "digest"),
        ("second/fs2/2026/11/00000002", "size"),
        ("fs1/2026/11/00000003", "missing"),
        ("fs1/2026/lost", "orphan"),
        ("metadata/2026/9.zip", "digest"),
    }
    assert answer["checked"] == 9
    assert answer["files_complete"]


def test_another_instance_than_that_of_the_index_is_found(node: OwnNode, dcm4chee: Index) -> None:
    """Its bytes are those of the index's digest, and it is not the instance that the index says it is."""
    sound, other = store(node, dcm4chee, 1), store(node, dcm4chee, 2)
    dcm4chee.connection.execute(b"UPDATE instance SET sop_iuid = '1.2.3' WHERE pk = 2")
    assert found(scan(node, dcm4chee)) == {(other, "header")}, sound


def test_files_of_purged_series_are_not_called_orphans(node: OwnNode, dcm4chee: Index) -> None:
    """The archive knows them by the series' metadata file alone; that one is verified."""
    kept = store(node, dcm4chee, 1)
    write(node, "fs1/2026/of-purged", image(2))
    write(node, "metadata/2026/5", b"PK")
    digest = hashlib.md5(b"PK", usedforsecurity=False).hexdigest()
    put_metadata(dcm4chee, 5, storage_path="2026/5", object_size=2, digest=digest)
    dcm4chee.insert("series", pk=1, inst_purge_state=1)
    assert found(scan(node, dcm4chee)) == set()
    (node.store / kept).unlink()
    (node.store / "metadata/2026/5").unlink()
    assert found(scan(node, dcm4chee)) == {(kept, "missing"), ("metadata/2026/5", "missing")}
