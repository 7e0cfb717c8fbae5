"""A dcm4chee-arc as far as it is asked: its tables, and its storages on a disk."""

import hashlib
import struct
from pathlib import Path
from typing import Any

from pydicom.data import get_testdata_file

from maintainer.model.inventory import Store
from tests.contract.archives.index import Index
from tests.contract.node.own_node import OwnNode

_SHARED = """
CREATE TABLE instance (pk int8 PRIMARY KEY, sop_iuid varchar(255) NOT NULL);
CREATE INDEX ON instance (sop_iuid);
CREATE INDEX ON location (storage_id, status);
CREATE INDEX ON location (multi_ref);
CREATE INDEX ON location (instance_fk);
"""
UNTIL_5_29 = (
    """
CREATE TABLE location (
    pk int8 PRIMARY KEY, digest varchar(255), multi_ref int4, object_type int4 NOT NULL, object_size int8 NOT NULL,
    status int4 NOT NULL, storage_id varchar(255) NOT NULL, storage_path varchar(255) NOT NULL, uidmap_fk int8,
    instance_fk int8
);
CREATE TABLE metadata (
    pk int8 PRIMARY KEY, digest varchar(255), object_size int8 NOT NULL, status int4 NOT NULL,
    storage_id varchar(255) NOT NULL, storage_path varchar(255) NOT NULL
);
CREATE TABLE series (pk int8 PRIMARY KEY, inst_purge_state int4 NOT NULL);
"""
    + _SHARED
)
SINCE_5_35 = UNTIL_5_29.replace("object_type int4", "object_type int2").replace("status int4", "status int2")

OK, TO_DELETE, FAILED_TO_DELETE, MISSING, ANOTHER_SIZE, AGAIN_TO_DELETE, KEPT, OFFLINE = 0, 1, 2, 3, 6, 9, 10, 16
IMAGE = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()
SOP_INSTANCE_UID = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"
STORAGES = {"fs1": "fs1", "fs2": "second/fs2", "meta": "metadata"}
ON_NODE = Store(archive="dcm4chee", path="/var/local/dcm4chee-arc", storages=STORAGES)


def put(index: Index, pk: int, path: str = "", **changed: Any) -> None:
    """Insert an instance and where it lies."""
    index.insert("instance", pk=pk, sop_iuid=f"1.2.{pk}")
    row = {"storage_id": "fs1", "storage_path": path or f"2026/{pk}", "object_size": 100 + pk, "digest": f"{pk:032x}"}
    row |= {"status": OK, "object_type": 0, "instance_fk": pk, "multi_ref": None, "uidmap_fk": None}
    index.insert("location", pk=pk, **{**row, **changed})


def put_metadata(index: Index, pk: int, **changed: Any) -> None:
    row = {"storage_id": "meta", "storage_path": f"2026/{pk}", "object_size": 9, "digest": "b" * 32, "status": OK}
    index.insert("metadata", pk=pk, **{**row, **changed})


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
    index.connection.execute("UPDATE instance SET sop_iuid = %s WHERE pk = %s", [SOP_INSTANCE_UID, pk])
    return path
