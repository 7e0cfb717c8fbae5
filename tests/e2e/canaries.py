"""Secrets and patients that must never come out anywhere, planted where the product reads, and a search for them."""

import base64
import hashlib
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import pydicom
import pydicom.data
from psycopg import sql
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid
from pynetdicom import AE

from maintainer.practice.database import ARCHIVE, SUPERUSER, connect
from maintainer.practice.layout import ADDRESS, AE_TITLE, Layout
from tests.practice_fixture import Practice

ALICE, ALICE_ID = "CANARY^ALICE", "CANARY-4711"  # in the header of an object that will be damaged
BOB = "CANARY^BOB"  # in rows of the database, quoted by PostgreSQL's errors
CAROL = "CANARY^CAROL"  # in the header of an object whose header is not proper DICOM
EVE = "CANARY^EVE"  # in an object that the archive cannot list
PASSWORD = "CANARY-database-password"  # noqa: S105 (a canary)
WRONG_PASSWORD = "CANARY-wrong-password"  # noqa: S105 (a canary)
BAD_KEY = "CANARY-broken-key"
INLINE = "CANARY-inline-password"
PATIENTS = (ALICE, ALICE_ID, BOB, CAROL, EVE)


def plant(practice: Practice) -> Path:
    """Put every canary of a node in its place; answers the file of ALICE's object, which is then cut to its half."""
    alice = send(practice, ALICE, ALICE_ID)
    with connect(practice.layout, ARCHIVE) as index:
        (path,) = index.execute("SELECT path FROM objects WHERE sop_instance_uid = %s", [alice]).fetchone() or ("",)
    damaged = practice.layout.store / str(path)
    assert ALICE.encode() in damaged.read_bytes()
    _put_carol(practice.layout)
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    with connect(practice.layout, ARCHIVE, autocommit=True) as index:
        for statement in TALKATIVE:
            index.execute(sql.SQL(statement))
    with connect(practice.layout, SUPERUSER, autocommit=True) as cluster:
        cluster.execute(sql.SQL("ALTER ROLE maintainer PASSWORD {}").format(sql.Literal(PASSWORD)))
    practice.layout.database_password.write_text(PASSWORD + "\n")
    return damaged


def send(practice: Practice, name: str, patient_id: str) -> str:
    """Send an object of this patient, as a modality would; answers its UID, or nothing when it was not taken."""
    dataset = _image(name, patient_id)
    ae = AE(ae_title="MODALITY")
    ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = ae.associate(ADDRESS, practice.ports.dicom, ae_title=AE_TITLE)
    status = association.send_c_store(dataset).Status
    association.release()
    return str(dataset.SOPInstanceUID) if status == 0 else ""


def _image(name: str, patient_id: str) -> FileDataset:
    dataset = pydicom.dcmread(Path(pydicom.data.__file__).parent / "test_files" / "CT_small.dcm")
    dataset.PatientName, dataset.PatientID = name, patient_id
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return dataset


def _put_carol(layout: Layout) -> None:
    """Let the archive have taken an object whose header breaks off in an element of no known representation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = layout.store / "ca" / "ro" / f"{hashlib.sha256(b'carol').hexdigest()[:40]}.dcm"
        file.parent.mkdir(parents=True)
        _image(CAROL, "CANARY-4712").save_as(file)
    content = file.read_bytes()
    name = content.index(CAROL.encode())
    content = content[: name - 4] + b"??" + content[name - 2 :]  # the value representation: two letters, PN
    file.write_bytes(content)
    with connect(layout, ARCHIVE, autocommit=True) as index:
        index.execute(
            "INSERT INTO objects (sop_instance_uid, path, size, sha256) VALUES (%s, %s, %s, %s)",
            ["1.2.3", str(file.relative_to(layout.store)), len(content), hashlib.sha256(content).hexdigest()],
        )


_QUIET = "BEGIN RETURN given; END"
_LOUD = "BEGIN RAISE NOTICE 'letter about %', given; RAISE EXCEPTION 'cannot shout %', given; END"
_SHOUT = "CREATE OR REPLACE FUNCTION shout(given text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $${}$$"
TALKATIVE = (
    "CREATE TABLE letters (pk bigint GENERATED ALWAYS AS IDENTITY, patient text NOT NULL)",
    _SHOUT.format(_QUIET),
    "CREATE INDEX letters_shout ON letters (shout(patient))",
    f"INSERT INTO letters (patient) SELECT '{BOB} ' || mod(n * 7919, 40000) FROM generate_series(1, 40000) AS n",  # noqa: S608 (a constant)
    "DELETE FROM letters WHERE pk % 10 <> 0",
    "SELECT pg_stat_force_next_flush()",
    "VACUUM (ANALYZE) letters",
    "DELETE FROM letters WHERE pk % 20 <> 0",
    "SELECT pg_stat_force_next_flush()",
    # From now on, whoever computes the index's expression gets a message that quotes the row.
    _SHOUT.format(_LOUD),
    f"ALTER TABLE patients ADD CONSTRAINT known CHECK (patient_name NOT LIKE '{EVE}%')",
)
"""A table whose vacuum and reindex both fail with a patient's name in the error; a constraint that quotes its row."""


def sightings(places: Iterable[tuple[str, bytes]], canaries: Iterable[str]) -> list[tuple[str, str]]:
    """Find canaries in whatever form a program may have given them: as text, as hexadecimal digits, as base64."""
    wanted = [(canary, form) for canary in canaries for form in _forms(canary.encode())]
    return sorted({(name, canary) for name, content in places for canary, form in wanted if form in content})


def _forms(text: bytes) -> Iterator[bytes]:
    yield text
    yield text.decode().encode("utf-16-le")
    yield text.hex().encode()
    for offset in range(3):
        # Cut to whole groups: what stands beside it would change the first and the last letter.
        yield base64.b64encode(b"\0" * offset + text)[4 * bool(offset) : -4]


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Read every file below a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
