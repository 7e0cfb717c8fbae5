"""Known faults to plant in a node, as they happen: each answers the name of what is broken now."""

import contextlib
import time
from collections.abc import Callable, Iterator

from tests.lab.image import LabError
from tests.lab.node import LabNode

STORE, SPOOL = "/var/lib/orthanc/db-v6", "/var/spool/pacs-import"
_KEPT = "/var/lib/orthanc/kept"
SETTLE = 1.1  # seconds; a scan with a grace of 1 s then takes new files for settled

_OBJECTS = """
SELECT left(uuid, 2) || '/' || substr(uuid, 3, 2) || '/' || uuid FROM attachedfiles
WHERE filetype = 1 AND compressiontype = 1 AND compressedsize > 8192 ORDER BY id;
"""
_SET_DIGEST = "UPDATE attachedfiles SET compressedhash = :'digest', uncompressedhash = :'digest' WHERE uuid = :'uuid';"
_CHANGE_BYTE = """
import os, sys
path, offset = sys.argv[1], int(sys.argv[2])
times = os.stat(path)
with open(path, "r+b") as file:
    file.seek(offset)
    byte = file.read(1)[0]
    file.seek(offset)
    file.write(bytes([byte ^ 1]))
os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
"""


def dead_rows(node: LabNode) -> str:
    node.sql("""
        INSERT INTO access_log (at, calling_ae_title) SELECT now(), 'WORKSTATION' FROM generate_series(1, 30000);
        DELETE FROM access_log WHERE pk % 2 = 0;
        SELECT pg_stat_force_next_flush();
        ANALYZE access_log;
    """)
    return "access_log"


def bloated_index(node: LabNode) -> str:
    """Let nine of ten rows come and go out of order: the index stays large and nearly empty."""
    node.sql("""
        INSERT INTO send_queue (destination, due)
            SELECT 'ARCHIVE' || mod(n, 3), now() - n * interval '1 second' FROM generate_series(1, 100000) AS n;
        DELETE FROM send_queue WHERE pk % 10 <> 0;
        SELECT pg_stat_force_next_flush();
        VACUUM (ANALYZE) send_queue;
        REINDEX INDEX send_queue_pkey;
    """)
    return "send_queue_due"


def full_spool(node: LabNode) -> str:
    """Leave what three hundred imports that broke off months ago would."""
    script = 'cd "$1"; for n in $(seq 300); do head -c 40000 /dev/zero >import-$n.part; done; touch -d -60days *.part'
    node.run("sh", "-ec", script, "spool", SPOOL, user="orthanc")
    return "spool"


def stopped_archive(node: LabNode) -> str:
    node.run("systemctl", "stop", "orthanc.service")
    return "archive"


def hung_archive(node: LabNode) -> str:
    """Suspend the archive: its port takes connections, and nothing answers."""
    node.run("systemctl", "kill", "--signal=STOP", "orthanc.service")
    return "archive"


def truncated_object(node: LabNode) -> str:
    return _damage(node, 0, 'truncate -s "$(($(stat -c %s "$1") / 2))" "$1"')


def emptied_object(node: LabNode) -> str:
    return _damage(node, 1, ': >"$1"')


def flipped_bit(node: LabNode) -> str:
    """Change one bit of pixels, as a decaying disk does: size and times stay as they were."""
    path = _object(node, 2)
    change_byte(node, path, 5000)
    return path


def change_byte(node: LabNode, path: str, offset: int) -> None:
    """Write another byte there; the file's times stay."""
    node.run("python3", "-c", _CHANGE_BYTE, f"{STORE}/{path}", str(offset))


def missing_file(node: LabNode) -> str:
    return _damage(node, 3, 'rm "$1"')


def replaced_object(node: LabNode) -> str:
    """Put another image of the same size in its place."""
    return _damage(node, 4, 'head -c "$(stat -c %s "$1")" /dev/urandom >/run/new; cat /run/new >"$1"; rm /run/new')


def unreadable_object(node: LabNode) -> str:
    """Put a link in its place, as somebody does who moves files to another disk."""
    return _damage(node, 5, 'mv "$1" "/var/tmp/${1##*/}"; ln -s "/var/tmp/${1##*/}" "$1"')


def executable_preamble(node: LabNode) -> str:
    """Hide a program's head in the preamble before the image is stored, so that the archive's digest fits."""
    path = _damage(node, 6, 'printf MZ | dd of="$1" bs=1 conv=notrunc status=none')
    return _as_stored(node, path)


def not_dicom(node: LabNode) -> str:
    """Store what is no DICOM, so that the archive's digest fits."""
    path = _damage(node, 7, 'printf XXXX | dd of="$1" bs=1 seek=128 conv=notrunc status=none')
    return _as_stored(node, path)


def orphan_file(node: LabNode) -> str:
    """Put a copy of an image into the store that the index does not list."""
    path = "ab/cd/abcd0000-0000-4000-8000-000000000000"
    script = 'cd "$1"; mkdir -p "${3%/*}"; cp "$2" "$3"; touch -d -3days "$3"'
    node.run("sh", "-ec", script, "orphan", STORE, _object(node, 8), path, user="orthanc")
    return path


STORE_FAULTS: dict[str, Callable[[LabNode], str]] = {
    "truncated-object": truncated_object,
    "emptied-object": emptied_object,
    "flipped-bit": flipped_bit,
    "missing-file": missing_file,
    "replaced-object": replaced_object,
    "unreadable-object": unreadable_object,
    "executable-preamble": executable_preamble,
    "not-dicom": not_dicom,
    "orphan-file": orphan_file,
}
FAULTS: dict[str, Callable[[LabNode], str]] = {
    **STORE_FAULTS,
    "dead-rows": dead_rows,
    "bloated-index": bloated_index,
    "full-spool": full_spool,
    "stopped-archive": stopped_archive,
    "hung-archive": hung_archive,
}


def plant(node: LabNode, fault: str) -> str:
    """Plant a fault by its name.

    Raises:
        LabError: there is none of that name.
    """
    if fault not in FAULTS:
        raise LabError(f"there is no fault named {fault}; there are {', '.join(FAULTS)}")
    where = FAULTS[fault](node)
    time.sleep(SETTLE)
    return where


@contextlib.contextmanager
def undone(node: LabNode) -> Iterator[None]:
    """Put the store and the index's digests back as they were, when the block ends."""
    node.run("cp", "-a", STORE, _KEPT)
    node.sql("CREATE TABLE kept AS SELECT uuid, compressedhash, uncompressedhash FROM attachedfiles;")
    try:
        yield
    finally:
        node.run("sh", "-ec", 'rm -r "$1"; mv "$2" "$1"', "undo", STORE, _KEPT)
        node.sql("""
            UPDATE attachedfiles AS now
            SET compressedhash = kept.compressedhash, uncompressedhash = kept.uncompressedhash
            FROM kept WHERE now.uuid = kept.uuid;
            DROP TABLE kept;
        """)


def _object(node: LabNode, number: int) -> str:
    """Choose the path of an object, each number another one, the same on every node that was loaded alike."""
    return node.sql(_OBJECTS).split()[number]


def _damage(node: LabNode, number: int, script: str) -> str:
    path = _object(node, number)
    node.run("sh", "-ec", f'cd "$2"; {script}', "damage", path, STORE)
    return path


def _as_stored(node: LabNode, path: str) -> str:
    digest = node.run("md5sum", f"{STORE}/{path}").stdout.split()[0]
    uuid = path.rpartition("/")[2]
    node.sql(_SET_DIGEST, digest=digest, uuid=uuid)
    return path
