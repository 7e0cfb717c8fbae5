"""Sockets of DICOM associations."""

import socket
from typing import Any


def without_delay(event: Any) -> None:
    """Send each DIMSE message at once; pynetdicom's default waits 40 ms for the peer's acknowledgement now and then."""
    connection = event.assoc.dul.socket.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
