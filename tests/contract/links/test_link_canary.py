"""The canary study, fetched from the practice archive as a workstation would, and from peers that only pretend."""

import hashlib
import os
import signal
import time
from datetime import timedelta
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from maintainer.links import dicom_canary
from maintainer.links.dicom import canary
from maintainer.model.inventory import Dicom
from tests.practice_fixture import Practice


def study_of(file: str) -> str:
    return str(pydicom.dcmread(str(get_testdata_file(file, download=False)), stop_before_pixels=True).StudyInstanceUID)


def asked(practice: Practice, digest: str | None = None, study: str = "", seconds: float = 10) -> dict[str, Any]:
    called = Dicom(
        port=practice.ports.dicom,
        ae_title="PRACTICE",
        timeout=timedelta(seconds=seconds),
        canary=study or study_of("CT_small.dcm"),
        canary_digest=digest,
    )
    return canary("127.0.0.1", called)


def digest_of(practice: Practice) -> str:
    said: str = asked(practice)["why"]
    return said.rpartition('canary_digest = "')[2].rstrip('"')


def test_the_digest_to_declare_is_told(shared_practice: Practice) -> None:
    """Without a declared digest the canary is not well, and the sentence is what the inventory lacks."""
    answer = asked(shared_practice)
    assert answer["answered"] is False
    assert "nothing says what it should be" in answer["why"]
    assert len(digest_of(shared_practice)) == 64


def test_the_right_pixels_are_an_answer(shared_practice: Practice) -> None:
    """With its digest declared the canary is well, as often as it is asked for."""
    digest = digest_of(shared_practice)
    answers = [asked(shared_practice, digest) for _ in range(3)]
    assert [(answer["answered"], answer["why"]) for answer in answers] == [(True, "")] * 3
    assert min(answer["seconds"] for answer in answers) < 2


def test_the_digest_is_of_the_pixels_alone(shared_practice: Practice) -> None:
    """Whoever computes it from the file gets the same, whatever else the file holds."""
    pixels = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False))).PixelData
    assert digest_of(shared_practice) == hashlib.sha256(hashlib.sha256(pixels).digest()).hexdigest()


def test_other_pixels_are_told(shared_practice: Practice) -> None:
    """A study that comes with other pixels than declared does not serve."""
    assert "are not what canary_digest says" in asked(shared_practice, "0" * 64)["why"]


def test_a_missing_canary_is_a_sentence(shared_practice: Practice) -> None:
    """An archive without the study says so, with what to do."""
    answer = asked(shared_practice, "0" * 64, study="1.2.3.4")
    assert answer["answered"] is False
    assert "does not have the canary study: store it there" in answer["why"]


def test_a_file_that_is_gone_is_not_an_image(practice: Practice) -> None:
    """The index still knows the study, and C-ECHO answers, but the object cannot be sent."""
    digest = digest_of(practice)
    for file in practice.layout.store.rglob("*.dcm"):
        file.unlink()
    answer = asked(practice, digest)
    assert answer["answered"] is False
    assert "C-GET" in answer["why"]


def test_a_hung_archive_costs_no_more_than_its_time(practice: Practice) -> None:
    """The whole retrieval is bounded, not each of its messages."""
    digest = digest_of(practice)
    pid = next(part.pid for part in practice.pacs.status() if part.name == "archive")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    answer = asked(practice, digest, seconds=1)
    assert time.monotonic() - begun < 3
    assert "did not answer within 1 s" in answer["why"]


def test_a_canary_without_end_is_cut(shared_practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is counted before it is kept: a study that is too large is told, and its association ended."""
    monkeypatch.setattr(dicom_canary, "AT_MOST", 10_000)
    assert "larger than 0 MB" in asked(shared_practice)["why"]


def test_nothing_of_a_patient_is_told(shared_practice: Practice) -> None:
    """No sentence holds a name, an id or a UID of the study."""
    told = " ".join(asked(shared_practice, digest)["why"] for digest in (None, "0" * 64))
    image = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    assert not any(str(image[key].value) in told for key in ("PatientName", "PatientID", "StudyInstanceUID"))
