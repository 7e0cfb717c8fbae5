"""A whole scan of a dcm4chee store: its index in a real PostgreSQL, the node's real program on real files."""

import hashlib
import struct
from collections.abc import Callable
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from maintainer.archives import product_of
from maintainer.links.node_program import zipapp_bytes
from maintainer.links.store_scan import Scanner
from maintainer.model.inventory import Store
from maintainer.model.task import StoreScan
from tests.contract.archives.index import Index
from tests.contract.archives.test_archive_dcm4chee import MISSING, OFFLINE, SINCE_5_35, TO_DELETE, put, put_metadata
from tests.contract.node.own_node import OwnNode, manifest

IMAGE = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()
STORAGES = {"fs1": "fs1", "fs2": "second/fs2", "meta": "metadata"}


@pytest.fixture(scope="session")
def zipapp() -> bytes:
    return zipapp_bytes([files("tasks.node")])


@pytest.fixture
def node(tmp_path: Path, zipapp: bytes) -> OwnNode:
    (tmp_path / "store").mkdir()
    store, archive = str(tmp_path / "store"), product_of(of_dcm4chee())
    policy = {"services": {}, "roots": {}, "store": store, "not_objects": list(archive.not_objects)}
    return OwnNode(tmp_path, policy, zipapp)


@pytest.fixture
def index(make_index: Callable[[str], Index]) -> Index:
    return make_index(SINCE_5_35)


def of_dcm4chee() -> Store:
    return Store(archive="dcm4chee", path="/var/local/dcm4chee-arc", storages=STORAGES)


def image(number: int) -> bytes:
    """A sound image that differs from the others in its pixels."""
    return IMAGE[:-8] + struct.pack("<Q", number)


def write(node: OwnNode, path: str, content: bytes) -> None:
    file = node.store / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def store(node: OwnNode, index: Index, pk: int, storage: str = "fs1", **changed: Any) -> str:
    """Put an image into a storage and into the index; answers its path in the common folder."""
    path, content = f"{STORAGES.get(storage, storage)}/2026/11/{pk:08X}", image(pk)
    write(node, path, content)
    row = {"object_size": len(content), "digest": hashlib.md5(content, usedforsecurity=False).hexdigest()}
    put(index, pk, f"2026/11/{pk:08X}", storage_id=storage, **{**row, **changed})
    uid = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"
    index.connection.execute("UPDATE instance SET sop_iuid = %s WHERE pk = %s", [uid, pk])
    return path


def scan(node: OwnNode, index: Index) -> Any:
    """Scan everything, and prove that it changed nothing."""
    before = manifest(node.store)
    scanner = Scanner(
        product=product_of(of_dcm4chee()),
        scan=StoreScan(grace=timedelta(0), at_most=timedelta(minutes=5), resume="verified-up-to"),
        resume_after=0,
        rows=lambda text, parameters: index.ask(text, **parameters),
        ask=lambda program, request: node.observe(program, **request),
    )
    answer = scanner.run()
    assert manifest(node.store) == before
    return answer


def found(answer: Any) -> set[tuple[str, str]]:
    return {(deviation["path"], deviation["verdict"]) for deviation in answer["deviations"]}


def test_exactly_what_is_wrong_is_found_in_every_storage(node: OwnNode, index: Index) -> None:
    """Sound objects and what the archive itself removes, moves or keeps elsewhere are no findings."""
    for pk in range(1, 9):
        store(node, index, pk, "fs1" if pk % 2 else "fs2")
    write(node, "fs1/2026/11/00000001", image(1)[:-200] + bytes(200))
    write(node, "second/fs2/2026/11/00000002", image(2)[:1000])
    (node.store / "fs1/2026/11/00000003").unlink()
    write(node, "fs1/2026/lost", image(90))
    write(node, "metadata/2026/9.zip", b"PK metadata")
    put_metadata(index, 9, storage_path="2026/9.zip", object_size=11, digest="0" * 32)
    (node.store / store(node, index, 10, status=TO_DELETE)).unlink()
    store(node, index, 11, status=TO_DELETE)
    (node.store / store(node, index, 12, status=MISSING)).unlink()
    (node.store / store(node, index, 13, status=OFFLINE)).unlink()
    store(node, index, 14, storage="elsewhere")
    write(node, "fs1/2026/series.tar", b"TAR")
    put(index, 15, "2026/series.tar!1")
    write(node, "fs1/NO_MOUNT", b"")
    answer = scan(node, index)
    assert found(answer) == {
        ("fs1/2026/11/00000001", "digest"),
        ("second/fs2/2026/11/00000002", "size"),
        ("fs1/2026/11/00000003", "missing"),
        ("fs1/2026/lost", "orphan"),
        ("metadata/2026/9.zip", "digest"),
    }
    assert answer["checked"] == 9
    assert answer["files_complete"]


def test_another_instance_than_that_of_the_index_is_found(node: OwnNode, index: Index) -> None:
    """Its bytes are those of the index's digest, and it is not the instance that the index says it is."""
    sound, other = store(node, index, 1), store(node, index, 2)
    index.connection.execute(b"UPDATE instance SET sop_iuid = '1.2.3' WHERE pk = 2")
    assert found(scan(node, index)) == {(other, "header")}, sound


def test_files_of_purged_series_are_not_called_orphans(node: OwnNode, index: Index) -> None:
    """The archive knows them by the series' metadata file alone; that one is verified."""
    kept = store(node, index, 1)
    write(node, "fs1/2026/of-purged", image(2))
    write(node, "metadata/2026/5", b"PK")
    digest = hashlib.md5(b"PK", usedforsecurity=False).hexdigest()
    put_metadata(index, 5, storage_path="2026/5", object_size=2, digest=digest)
    index.insert("series", pk=1, inst_purge_state=1)
    assert found(scan(node, index)) == set()
    (node.store / kept).unlink()
    (node.store / "metadata/2026/5").unlink()
    assert found(scan(node, index)) == {(kept, "missing"), ("metadata/2026/5", "missing")}
