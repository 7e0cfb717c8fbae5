"""The practice archive, a small DICOM server: `python -m maintainer.practice.archive FOLDER`.

C-ECHO, C-STORE, C-FIND and C-GET. An object is acknowledged when its file and its index row are both durable.
"""

import hashlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # (pynetdicom makes these names at run time)
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)

from maintainer.links.associations import without_delay
from maintainer.practice.attributes import LEVELS, UNIQUE_KEYS, read
from maintainer.practice.index import Index, StoredObject
from maintainer.practice.layout import ADDRESS, AE_TITLE, Layout, recorded_ports

# Source: DICOM PS3.4, B.2.3 (C-STORE), C.4.1.1.4 (C-FIND), C.4.3.1.4 (C-GET).
SUCCESS, PENDING, CANCELLED = 0x0000, 0xFF00, 0xFE00
OUT_OF_RESOURCES, DOES_NOT_MATCH, UNABLE_TO_PROCESS = 0xA700, 0xA900, 0xC001

DRAIN = 3.0  # seconds that open associations get at the end

logger = logging.getLogger("archive")


class Archive:
    """What is done with each request."""

    def __init__(self, layout: Layout) -> None:
        self._store = layout.store
        self._index = Index(layout)

    def on_store(self, event: evt.Event) -> int:
        """Write the object to the store, then list it; say success only after both."""
        dataset = event.dataset
        uid = read(dataset, "SOPInstanceUID")
        if not all(read(dataset, UNIQUE_KEYS[level]) for level in LEVELS[1:]):
            return DOES_NOT_MATCH
        try:
            held = self._index.path_of(uid)
            if held is not None and (self._store / held).exists():
                return SUCCESS  # the first one is kept
            self._keep(dataset, uid, event.encoded_dataset())
        except (OSError, psycopg.Error) as error:
            logger.error("C-STORE: %s", type(error).__name__)  # noqa: TRY400 (a message of PostgreSQL may quote a patient)
            return OUT_OF_RESOURCES
        return SUCCESS

    def _keep(self, dataset: Dataset, uid: str, content: bytes) -> None:
        name = hashlib.sha256(uid.encode("ascii", "replace")).hexdigest()[:40]
        path = f"{name[:2]}/{name[2:4]}/{name}.dcm"
        write_durably(self._store / path, content)
        stored = StoredObject(uid, path, len(content), hashlib.sha256(content).hexdigest())
        try:
            self._index.add(dataset, stored)
        except psycopg.Error:
            (self._store / path).unlink()  # not acknowledged, so it must not stay as an orphan
            raise

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        """Answer each match with the attributes that were asked for."""
        identifier = event.identifier
        level = read(identifier, "QueryRetrieveLevel")
        if level not in LEVELS:
            yield DOES_NOT_MATCH, None
            return
        try:
            matches = self._index.find(identifier, level)
        except psycopg.Error as error:
            logger.error("C-FIND: %s", type(error).__name__)  # noqa: TRY400 (as above)
            yield UNABLE_TO_PROCESS, None
            return
        for match in matches:
            if event.is_cancelled:
                yield CANCELLED, None
                return
            yield PENDING, _answer(identifier, level, match)

    def on_get(self, event: evt.Event) -> Iterator[Any]:
        """Send every object that the identifier names: first their number, then each of them."""
        try:
            wanted = self._index.paths(event.identifier)
        except psycopg.Error as error:
            logger.error("C-GET: %s", type(error).__name__)  # noqa: TRY400 (as above)
            yield 0
            yield UNABLE_TO_PROCESS, None
            return
        yield len(wanted)
        for uid, path in wanted:
            if event.is_cancelled:
                yield CANCELLED, None
                return
            self._index.record_access(event.assoc.requestor.ae_title, uid)
            yield PENDING, pydicom.dcmread(self._store / path)


def write_durably(file: Path, content: bytes) -> None:
    """Write a file so that after a power cut it is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    part.replace(file)
    for folder in (file.parent, file.parent.parent, file.parent.parent.parent):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _answer(identifier: Dataset, level: str, match: dict[str, str]) -> Dataset:
    answer = Dataset()
    answer.SpecificCharacterSet = "ISO_IR 192"
    answer.QueryRetrieveLevel = level
    answer.RetrieveAETitle = AE_TITLE
    for element in identifier:
        if element.keyword in match:
            setattr(answer, element.keyword, match[element.keyword])
        elif element.keyword not in answer:
            answer.add_new(element.tag, element.VR, None)  # asked for and not kept: empty
    return answer


def serve(layout: Layout) -> None:
    """Accept associations until SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    archive = Archive(layout)
    ae = _application_entity()
    server = ae.start_server(
        (ADDRESS, recorded_ports(layout).dicom),
        block=False,
        evt_handlers=[
            (evt.EVT_CONN_OPEN, without_delay),
            (evt.EVT_C_ECHO, lambda _: SUCCESS),
            (evt.EVT_C_STORE, archive.on_store),
            (evt.EVT_C_FIND, archive.on_find),
            (evt.EVT_C_GET, archive.on_get),
        ],
    )
    pid_file = layout.pid_file("archive")
    pid_file.write_text(f"{os.getpid()}\n", "ascii")
    logger.info("accepts associations as %s", AE_TITLE)
    stop.wait()
    if server is not None:
        server.shutdown()
    until = time.monotonic() + DRAIN
    while ae.active_associations and time.monotonic() < until:
        time.sleep(0.02)
    ae.shutdown()
    pid_file.unlink(missing_ok=True)
    logger.info("ended")


def _application_entity() -> AE:
    ae = AE(ae_title=AE_TITLE)
    ae.require_called_aet = True
    ae.maximum_pdu_size = 0  # unlimited
    ae.add_supported_context(Verification)
    for model in (
        PatientRootQueryRetrieveInformationModelFind,
        PatientRootQueryRetrieveInformationModelGet,
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelGet,
    ):
        ae.add_supported_context(model)
    for context in AllStoragePresentationContexts:
        # For C-GET the requestor may also ask to receive: then we are the user of the storage class.
        ae.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES, scu_role=True, scp_role=True)
    return ae


def main(folder: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # Both quote what they complain about, which may be a patient's name.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)
    logging.getLogger("py.warnings").setLevel(logging.CRITICAL)
    layout = Layout(Path(folder))
    try:
        serve(layout)
    except OSError as error:
        sys.exit(f"cannot serve on {ADDRESS}:{recorded_ports(layout).dicom}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
