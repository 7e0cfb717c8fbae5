"""Asking a DICOM archive whether it serves and sends images.

Source: DICOM PS3.7, 9.1.5 (C-ECHO); PS3.4, C.4 (C-FIND, C-GET).
"""

import contextlib
import logging
import queue
import socket
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maintainer.links.deadline import Deadline
from maintainer.links.ssh_socket import Address, resolve
from maintainer.model.inventory import Dicom

if TYPE_CHECKING:
    from maintainer.links.dicom_call import Call

# pydicom logs what it reads, and here that is about patients.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)


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
