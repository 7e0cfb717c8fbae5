"""Asking a DICOM archive whether it serves and sends images, and pydicom what it makes of an object's first bytes.

Source: DICOM PS3.7, 9.1.5 (C-ECHO); PS3.10, 7 (file format); PS3.4, C.4 (C-FIND, C-GET).
"""

import contextlib
import io
import logging
import queue
import socket
import threading
import time
import warnings
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maintainer.links.deadline import Deadline
from maintainer.links.ssh_socket import Address, resolve
from maintainer.model.inventory import Dicom

if TYPE_CHECKING:
    from maintainer.links.dicom_call import Call

# pydicom logs what it reads, and here that is about patients.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

_PREAMBLE = 132
_SAMPLE_BOUND = 1_000_000
_ONE_AT_A_TIME = threading.Lock()


def echo(address: str, dicom: Dicom) -> dict[str, Any]:
    """Associate, send a C-ECHO and release, as a modality would; all of it within `dicom.timeout`.

    Answers `{"answered": bool, "why": str, "seconds": float, "implementation": str}`: silence is an answer here.

    Raises:
        NodeUnreachable: the node's name cannot be looked up.
    """
    from maintainer.links.dicom_call import Call  # noqa: PLC0415 (pynetdicom takes half a second to import)

    return _made(Call, address, dicom)


def canary(address: str, dicom: Dicom) -> dict[str, Any]:
    """Find the canary study, fetch its objects and compare their pixels; all of it within `dicom.timeout`.

    Answers as `echo` does. Without `canary_digest` it is not well: the sentence says which digest came.

    Raises:
        NodeUnreachable: the node's name cannot be looked up.
    """
    from maintainer.links.dicom_canary import Canary  # noqa: PLC0415 (as above)

    return _made(Canary, address, dicom)


def _made(kind: "type[Call]", address: str, dicom: Dicom) -> dict[str, Any]:
    deadline = Deadline(dicom.timeout)
    begun = time.monotonic()
    call = kind(_host(resolve(address, address, dicom.port, deadline), deadline), dicom, deadline)
    threading.Thread(target=call.make, name=f"{kind.__name__} {address}", daemon=True).start()
    try:
        why = call.answer.get(timeout=deadline.left)
    except queue.Empty:
        why = call.silence()
    seconds = time.monotonic() - begun
    call.done.wait(max(deadline.left, 0.1))
    call.cut()
    return {"answered": not why, "why": why, "seconds": round(seconds, 3), "implementation": call.implementation}


def _host(addresses: Sequence[Address], deadline: Deadline) -> str:
    """Choose the address of a name on which somebody listens: many archives have IPv4 alone where the name has both."""
    for family, address in addresses[:-1]:
        with socket.socket(family, socket.SOCK_STREAM) as connection, contextlib.suppress(OSError):
            connection.settimeout(deadline.left / len(addresses))
            connection.connect(address)
            return str(address[0])
    return str(addresses[-1][1][0])


def header_opinion(data: bytes) -> str:
    """Say what pydicom makes of the first bytes of an object: nothing, or the name of its complaint.

    That the bytes end before the object does is no complaint. At most 1 MB is looked at, also of what a deflated
    object expands to. The complaint's text is left out: it may hold a patient's name.
    """
    import pydicom  # noqa: PLC0415 (0.4 s to import)

    sample = _Sample(data[:_SAMPLE_BOUND])
    # The filters of warnings belong to the whole process.
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pydicom.dcmread(sample, stop_before_pixels=True)
        except _RestIsDeflatedError as deflated:
            return _deflated_opinion(deflated.rest)
        except Exception as error:  # noqa: BLE001 (any complaint is the answer)
            return sample.complaint(error)
    return ""


def _deflated_opinion(rest: bytes) -> str:
    """Expand no more than is looked at: 200 kB may hold 200 MB."""
    from pydicom.filereader import read_dataset  # noqa: PLC0415 (0.4 s to import)

    try:
        sample = _Sample(zlib.decompressobj(-zlib.MAX_WBITS).decompress(rest, _SAMPLE_BOUND))
    except zlib.error:
        return "DeflateError"
    try:
        read_dataset(sample, is_implicit_VR=False, is_little_endian=True)
    except Exception as error:  # noqa: BLE001 (any complaint is the answer)
        return sample.complaint(error)
    return ""


class _RestIsDeflatedError(Exception):
    """pydicom was about to expand the rest, whatever its size."""

    def __init__(self, rest: bytes) -> None:
        super().__init__()
        self.rest = rest


class _Sample(io.BytesIO):
    """The first bytes of a file; asking for more ends the reading, and is then no complaint."""

    _ended = False

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise _RestIsDeflatedError(super().read())
        content = super().read(size)
        if len(content) < size and self.tell() > _PREAMBLE:
            self._ended = True
            raise EOFError
        return content

    def complaint(self, error: Exception) -> str:
        return "" if self._ended else type(error).__name__
