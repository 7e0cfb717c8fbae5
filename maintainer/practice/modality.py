"""A modality of the practice hospital: `python -m maintainer.practice.modality FOLDER` sends its images to the archive.

The images are pydicom's own test files: real ones, of many kinds. They are sent as they are; nothing is decoded.
It ends with 0 and prints the number of objects that the archive took.
"""

import sys
import warnings
from pathlib import Path

import pydicom
import pydicom.data
from pydicom.errors import InvalidDicomError
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, _config, evt

from maintainer.links.associations import keep_answers, without_delay
from maintainer.practice.attributes import LEVELS, UNIQUE_KEYS, read
from maintainer.practice.layout import ADDRESS, AE_TITLE, Layout, recorded_ports


def images() -> list[tuple[Path, str, str]]:
    """List what can be sent: file, SOP class and transfer syntax of each."""
    sop_classes = {context.abstract_syntax for context in AllStoragePresentationContexts}
    found = []
    for file in sorted((Path(pydicom.data.__file__).parent / "test_files").rglob("*")):
        kind = _kind(file) if file.is_file() else None
        if kind and kind[0] in sop_classes and kind[1] in ALL_TRANSFER_SYNTAXES:
            found.append((file, *kind))
    return found


def _kind(file: Path) -> tuple[str, str] | None:
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True)
    except InvalidDicomError:
        return None
    kind = read(header.file_meta, "MediaStorageSOPClassUID"), read(header.file_meta, "TransferSyntaxUID")
    needed = [read(header, UNIQUE_KEYS[level]) for level in LEVELS[1:]]
    return kind if all((*kind, *needed)) else None


def send(layout: Layout) -> int:
    """Send every image in one association; answer how many the archive took."""
    _config.STORE_SEND_CHUNKED_DATASET = True  # the bytes of the file, not what pydicom would make of them
    ae = AE(ae_title="MODALITY")
    ae.maximum_pdu_size = 0
    to_send = images()
    for sop_class, syntax in sorted({(c, s) for _, c, s in to_send}):
        ae.add_requested_context(sop_class, syntax)
    association = ae.associate(
        ADDRESS,
        recorded_ports(layout).dicom,
        ae_title=AE_TITLE,
        evt_handlers=[(evt.EVT_CONN_OPEN, without_delay)],
    )
    if not association.is_established:
        sys.exit("the archive refused the association")
    keep_answers(association)
    taken = 0
    for file, _, _ in to_send:
        taken += association.send_c_store(file).get("Status") == 0
        if not association.is_established:
            sys.exit("the archive ended the association or did not answer; its log is in the folder logs")
    association.release()
    return taken


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # many of these files bend the rules, which is what they are for
    sys.stdout.write(f"{send(Layout(Path(sys.argv[1])))}\n")
