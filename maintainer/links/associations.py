"""What pynetdicom's associations need to be quick and to lose nothing."""

import socket
from typing import Any


def without_delay(event: Any) -> None:
    """Send each DIMSE message at once; pynetdicom's default waits 40 ms for the peer's acknowledgement now and then."""
    connection = event.assoc.dul.socket.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def keep_answers(association: Any) -> None:
    """Let nobody but the asking thread take an answer; call this on a requestor before its first request.

    pynetdicom 3.0 pauses its own reactor while a request waits, but may take a reactor that is just leaving its pause
    for a paused one. On a busy machine such a reactor took the answer and dropped it, once in some thousand requests.
    """
    get = association.dimse.get_msg
    association.dimse.get_msg = lambda block=False: get(block=block) if block else (None, None)
