"""A modality of the lab: `python -m tests.lab.images ADDRESS SLICES SIZE` sends real images to an archive by C-STORE.

They are pydicom's own test files, of many kinds, and one CT series made from one of them: as many slices as asked for,
of SIZE x SIZE pixels. The same numbers make the same images, to the byte. For 0 slices it sends the canary study alone.
Prints how many images the archive took.
"""

import hashlib
import io
import random
import socket
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, _config, evt

from maintainer.links.associations import keep_answers, without_delay
from maintainer.practice.modality import images as test_files
from tests.lab.node import AE_TITLE, DICOM_PORT

STUDY, CANARY = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
_TEMPLATE = "CT_small.dcm"  # explicit VR, little endian
# Cut off or wrongly encoded: Orthanc waits 30 s for the rest of each and then ends the association.
_NEVER_ENDING = {"MR_truncated.dcm", "SC_rgb_jpeg.dcm", "image_dfl.dcm", "rtplan_truncated.dcm"}


def ct_slices(study: str, count: int, size: int) -> Iterator[pydicom.Dataset]:
    """Make a study of one series, each slice with pixels of its own that hardly compress, as real ones do."""
    path = get_testdata_file(_TEMPLATE, download=False)
    if path is None:
        raise FileNotFoundError(_TEMPLATE)
    with open(str(path), "rb") as file:  # noqa: PTH123 (pydicom's answer may be a path or a text)
        original = file.read()
    for number in range(1, count + 1):
        image = pydicom.dcmread(io.BytesIO(original))
        image.StudyInstanceUID, image.SeriesInstanceUID = study, f"{study}.1"
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = UID(f"{study}.1.{number}")
        image.InstanceNumber, image.SliceLocation = number, number * 1.5
        image.Rows = image.Columns = size
        image.PixelData = random.Random(f"{study} {number}").randbytes(2 * size * size)  # noqa: S311 (no secret)
        yield image


def canary() -> Iterator[pydicom.Dataset]:
    """Make the study that proves, by being fetched, that images can be had."""
    return ct_slices(CANARY, 3, 64)


def canary_digest() -> str:
    """What an inventory says of the canary's pixels."""
    pixels = sorted(hashlib.sha256(image.PixelData).digest() for image in canary())
    return hashlib.sha256(b"".join(pixels)).hexdigest()


def send(address: str, files: Sequence[tuple[Path, str, str]], made: Iterable[pydicom.Dataset]) -> int:
    """Send files and CT slices in one association; answers how many were taken: Orthanc refuses some test files."""
    _config.STORE_SEND_CHUNKED_DATASET = True  # test files as they are: nothing of them is decoded
    ae = AE(ae_title="MODALITY")
    ae.maximum_pdu_size = 0
    for sop_class, syntax in sorted({(CTImageStorage, ExplicitVRLittleEndian), *(image[1:] for image in files)}):
        ae.add_requested_context(sop_class, syntax)
    handlers: list[Any] = [(evt.EVT_CONN_OPEN, without_delay), (evt.EVT_DATA_SENT, _acknowledge_at_once)]
    association = ae.associate(address, DICOM_PORT, ae_title=AE_TITLE, evt_handlers=handlers)
    if not association.is_established:
        sys.exit("the archive refused the association")
    keep_answers(association)
    statuses = [association.send_c_store(file).get("Status") for file, _, _ in files]
    statuses += [association.send_c_store(image).get("Status") for image in made]
    association.release()
    return statuses.count(0)


def _acknowledge_at_once(event: Any) -> None:
    # Orthanc writes an answer in two parts and sends the second when we acknowledge the first, by default 40 ms later.
    # The kernel forgets this after a while, hence each time.
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def main(address: str, slices: str, size: str) -> None:
    warnings.simplefilter("ignore")  # many test files bend the rules, which is what they are for
    files = [one for one in test_files() if one[0].name not in _NEVER_ENDING] if int(slices) else []
    made = ct_slices(STUDY, int(slices), int(size)) if int(slices) else canary()
    sys.stdout.write(f"{send(address, files, made)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
