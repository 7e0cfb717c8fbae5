"""The practice archive answers as a DICOM archive does, and keeps what it has acknowledged."""

import contextlib
import hashlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # (pynetdicom makes these names at run time)
    CTImageStorage,
    MRImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)

from maintainer.links.associations import keep_answers, without_delay
from maintainer.practice.layout import ADDRESS
from maintainer.practice.service import Service
from tests.practice_fixture import Practice

CT_UID = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"  # of pydicom's CT_small.dcm


@contextlib.contextmanager
def _associated(practice: Practice, *contexts: str, called: str = "PRACTICE", **options: Any) -> Iterator[Association]:
    ae = AE(ae_title="TEST")
    for context in contexts:
        ae.add_requested_context(context)
    handlers = [(evt.EVT_CONN_OPEN, without_delay), *options.pop("evt_handlers", [])]
    association = ae.associate(ADDRESS, practice.ports.dicom, ae_title=called, evt_handlers=handlers, **options)
    keep_answers(association)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def _find(
    practice: Practice, level: str, model: str = StudyRootQueryRetrieveInformationModelFind, **keys: str
) -> list[Dataset]:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    with _associated(practice, model) as association:
        answers = list(association.send_c_find(identifier, model))
    assert answers[-1][0].Status == 0x0000
    return [answer for status, answer in answers[:-1] if status.Status == 0xFF00 and answer is not None]


def _new_image() -> Dataset:
    image = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return image


def test_it_answers_an_echo(shared_practice: Practice) -> None:
    """As the health check of a restart asks it."""
    with _associated(shared_practice, Verification) as association:
        assert association.send_c_echo().Status == 0x0000


def test_it_rejects_a_wrong_called_ae_title(shared_practice: Practice) -> None:
    """As most products do unless told otherwise."""
    with _associated(shared_practice, Verification, called="ORTHANC") as association:
        assert association.is_rejected


def test_what_it_acknowledged_is_in_store_and_index(shared_practice: Practice) -> None:
    """Its file has the size and digest that the index says, under a path that names no patient."""
    image = _new_image()
    with _associated(shared_practice, CTImageStorage) as association:
        assert association.send_c_store(image).Status == 0x0000
    row = _row(shared_practice, image.SOPInstanceUID)
    assert row is not None
    path, size, digest = row
    content = (shared_practice.layout.store / path).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (size, digest)
    kept = pydicom.dcmread(shared_practice.layout.store / path)
    assert kept.PixelData == image.PixelData
    assert str(image.PatientName).split("^")[0].lower() not in path.lower()
    assert not list(shared_practice.layout.store.rglob("*.part"))


def test_the_first_of_two_with_one_uid_is_kept(shared_practice: Practice) -> None:
    """A second sending, as after a lost answer, is acknowledged and changes nothing."""
    image = _new_image()
    with _associated(shared_practice, CTImageStorage) as association:
        association.send_c_store(image)
        before = _row(shared_practice, image.SOPInstanceUID)
        image.PatientComments = "sent again"
        assert association.send_c_store(image).Status == 0x0000
    assert _row(shared_practice, image.SOPInstanceUID) == before


def test_an_object_without_a_study_is_not_acknowledged(shared_practice: Practice) -> None:
    """It could never be found again."""
    image = _new_image()
    del image.StudyInstanceUID
    with _associated(shared_practice, CTImageStorage) as association:
        assert association.send_c_store(image).Status == 0xA900
    assert _row(shared_practice, image.SOPInstanceUID) is None


def test_nothing_is_acknowledged_while_the_index_is_down(practice: Practice) -> None:
    """The file is taken back, so that no orphan stays; when the database is there again, the next sending works."""
    image = _new_image()
    files = sorted(practice.layout.store.rglob("*.dcm"))
    from maintainer.practice.postgres import Postgres  # noqa: PLC0415 (only this test stops the database)

    with _associated(practice, CTImageStorage) as association:
        Postgres(practice.layout).stop()
        assert association.send_c_store(image).Status == 0xA700
        assert sorted(practice.layout.store.rglob("*.dcm")) == files
        Postgres(practice.layout).start()
        assert association.send_c_store(image).Status == 0x0000
    assert len(list(practice.layout.store.rglob("*.dcm"))) == len(files) + 1


def test_find_works_at_every_level(shared_practice: Practice) -> None:
    """From a patient down to an image, each answer holding the keys that were asked for."""
    model = PatientRootQueryRetrieveInformationModelFind
    patient = _find(shared_practice, "PATIENT", model, PatientID="1CT1", PatientName="")
    assert [str(answer.PatientName) for answer in patient] == ["CompressedSamples^CT1"]
    study = _find(shared_practice, "STUDY", PatientID="1CT1", StudyInstanceUID="", StudyDate="")
    assert [answer.StudyDate for answer in study] == ["20040119"]
    series = _find(
        shared_practice, "SERIES", StudyInstanceUID=study[0].StudyInstanceUID, Modality="", SeriesInstanceUID=""
    )
    assert [answer.Modality for answer in series] == ["CT"]
    image = _find(shared_practice, "IMAGE", SeriesInstanceUID=series[0].SeriesInstanceUID, SOPInstanceUID=CT_UID)
    assert [answer.SOPInstanceUID for answer in image] == [CT_UID]
    assert image[0].RetrieveAETitle == "PRACTICE"


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"PatientName": "compressedsamples^ct?"}, {"1CT1"}),
        ({"PatientName": "Compressed*MR1"}, {"4MR1"}),
        ({"PatientName": "%"}, set()),
        ({"PatientID": "4MR1", "StudyDate": "20040801-20040831"}, {"4MR1"}),
        ({"PatientID": "4MR1", "StudyDate": "-20040801"}, set()),
        ({"PatientID": "4MR1", "StudyDate": "20040826-"}, {"4MR1"}),
        ({"PatientID": "nobody"}, set()),
    ],
)
def test_find_matches_as_the_standard_says(shared_practice: Practice, keys: dict[str, str], found: set[str]) -> None:
    """Wildcards, date ranges and single values; letters of a name in either case."""
    answers = _find(shared_practice, "STUDY", **{"PatientID": "", "StudyInstanceUID": "", **keys})
    assert {answer.PatientID for answer in answers} == found


def test_find_without_a_level_is_refused(shared_practice: Practice) -> None:
    """It does not guess what was meant."""
    model = StudyRootQueryRetrieveInformationModelFind
    identifier = Dataset()
    identifier.PatientID = "1CT1"
    with _associated(shared_practice, model) as association:
        ((status, _),) = association.send_c_find(identifier, model)
    assert status.Status == 0xA900


def test_get_sends_the_object_and_remembers_who_asked(shared_practice: Practice) -> None:
    """The image arrives with the pixels that were stored, and stands in the access log."""
    model, arrived = StudyRootQueryRetrieveInformationModelGet, []
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.SOPInstanceUID = CT_UID

    def keep(event: evt.Event) -> int:
        arrived.append(event.dataset)
        return 0x0000

    roles = [build_role(CTImageStorage, scp_role=True)]
    with _associated(
        shared_practice, model, CTImageStorage, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, keep)]
    ) as association:
        *_, (status, _) = association.send_c_get(identifier, model)
    assert (status.Status, status.NumberOfCompletedSuboperations) == (0x0000, 1)
    original = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    assert arrived[0].PixelData == original.PixelData
    with _index(shared_practice) as index:
        row = index.execute("SELECT calling_ae_title, verb FROM access_log WHERE sop_instance_uid = %s", [CT_UID])
        assert row.fetchone() == ("TEST", "C-GET")


def test_get_without_an_accepted_context_fails_that_object_only(shared_practice: Practice) -> None:
    """The answer counts it as failed; the association stays."""
    model = StudyRootQueryRetrieveInformationModelGet
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.SOPInstanceUID = CT_UID
    roles = [build_role(MRImageStorage, scp_role=True)]
    with _associated(shared_practice, model, MRImageStorage, ext_neg=roles) as association:
        *_, (status, _) = association.send_c_get(identifier, model)
        assert association.is_established
    assert status.NumberOfFailedSuboperations == 1


def test_its_script_speaks_lsb(practice: Practice) -> None:
    """0 when it runs and 3 when it does not; a second start or stop is no error."""
    script = str(practice.layout.archive_script)

    def call(verb: str) -> int:
        return subprocess.run([script, verb], check=False, capture_output=True, timeout=60).returncode

    assert [call(verb) for verb in ("status", "start", "stop", "status", "stop", "start", "status")] == [
        0, 0, 0, 3, 0, 0, 0,
    ]  # fmt: skip
    assert call("dance") == 2


def test_its_script_ends_one_that_hangs(practice: Practice) -> None:
    """After ten seconds of patience, and not sooner."""
    practice.break_("hung-archive")
    began = time.monotonic()
    subprocess.run([str(practice.layout.archive_script), "stop"], check=True, capture_output=True, timeout=60)
    assert 10 <= time.monotonic() - began < 15
    assert Service(practice.layout, "archive").process() is None


def test_a_pid_file_of_the_dead_is_not_believed(practice: Practice) -> None:
    """After a power cut the number may belong to any other process, such as this one."""
    script = str(practice.layout.archive_script)
    subprocess.run([script, "stop"], check=True, capture_output=True, timeout=60)
    me = Path("/proc/self").resolve().name
    practice.layout.pid_file("archive").write_text(f"{me}\n", "ascii")
    assert subprocess.run([script, "status"], check=False, capture_output=True, timeout=60).returncode == 3
    subprocess.run([script, "stop"], check=True, capture_output=True, timeout=60)  # and this test lives on
    subprocess.run([script, "start"], check=True, capture_output=True, timeout=60)
    assert practice.layout.pid_file("archive").read_text("ascii").strip() != me


def _index(practice: Practice) -> "psycopg.Connection[Any]":
    password = practice.layout.database_password.read_text("ascii").strip()
    port = practice.ports.database
    return psycopg.connect(host=ADDRESS, port=port, dbname="pacs", user="maintainer", password=password)


def _row(practice: Practice, uid: str) -> tuple[str, int, str] | None:
    with _index(practice) as index:
        row: tuple[str, int, str] | None = index.execute(
            "SELECT path, size, sha256 FROM objects WHERE sop_instance_uid = %s", [uid]
        ).fetchone()
    return row
