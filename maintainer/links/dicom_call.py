"""One association with an archive, by default for a C-ECHO. Imported only when needed: pynetdicom takes half a second.

Source: DICOM PS3.7, 9.1.5 (C-ECHO); PS3.8, 9.3.4 (A-ASSOCIATE-RJ).
"""

import contextlib
import logging
import queue
import socket
import threading
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # (made at run time)
from pynetdicom.transport import AssociationSocket

from maintainer.links.associations import keep_answers
from maintainer.links.deadline import Deadline
from maintainer.model.inventory import Dicom

# pynetdicom logs what passes, also to those who asked for no log.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)

_REJECTIONS = {
    (1, 1): "without a reason",
    (1, 2): "the application context is not supported",
    (1, 3): "the calling AE title {calling} is not recognised",
    (1, 7): "the called AE title {called} is not recognised",
    (2, 1): "without a reason",
    (2, 2): "the protocol version is not supported",
    (3, 1): "it is congested for now",
    (3, 2): "it has as many associations as it takes",
}
"""Source and reason of an A-ASSOCIATE-RJ → words."""


class Call:
    """Runs in a thread of its own, because a peer that drips bytes can hold pynetdicom for ever.

    Another kind of call proposes its own contexts, and asks what it has to ask once the association is there.
    """

    wanted = "the Verification service"

    def __init__(self, host: str, dicom: Dicom, deadline: Deadline) -> None:
        self.dicom = dicom
        self._deadline = deadline
        self._host = host
        self.where = f"{host}:{dicom.port}"
        self._caller = _Caller(dicom.calling_ae_title)
        self._connected = False
        self.implementation = ""
        """Implementation version name by which the archive introduced itself; mostly its toolkit's."""
        self.answer: queue.SimpleQueue[str] = queue.SimpleQueue()
        """Why the archive is not well, or the empty string."""
        self.done = threading.Event()

    def make(self) -> None:
        try:
            association = self._associate()
            self.answer.put(self._verify(association))
            if association.is_established:
                association.release()
        except Exception as error:  # noqa: BLE001 (whatever a peer makes pynetdicom raise, the probe has its answer)
            self.answer.put(f"{self.where} answered what is not DICOM ({type(error).__name__})")
        finally:
            self._caller.close()
            self.done.set()

    def propose(self, caller: AE) -> list[Any]:
        """Propose presentation contexts; answers the items of extended negotiation."""
        caller.add_requested_context(Verification)
        return []

    def ask(self, association: Any) -> str:
        """Say why the archive is not well, or nothing."""
        return self._echoed(association.send_c_echo())

    def handlers(self) -> list[Any]:
        return [(evt.EVT_CONN_OPEN, self._opened)]

    def silence(self) -> str:
        if not self._connected:
            return f"{self.where} did not answer within {self._deadline}"
        return f"{self.where} took the connection but did not answer within {self._deadline}"

    def cut(self) -> None:
        """End the connection, so that no thread waits for it any longer."""
        self._caller.hang_up()

    def _associate(self) -> Any:
        caller = self._caller
        items = self.propose(caller)
        seconds = max(0.1, self._deadline.left)
        caller.connection_timeout = caller.acse_timeout = caller.dimse_timeout = caller.network_timeout = seconds
        handlers: Any = self.handlers()
        return caller.associate(
            self._host, self.dicom.port, ae_title=self.dicom.ae_title, evt_handlers=handlers, ext_neg=items
        )

    def _opened(self, _: Any) -> None:
        self._connected = True

    def _verify(self, association: Any) -> str:
        if association.is_established:
            self.implementation = _printable(association.acceptor.implementation_version_name)
            keep_answers(association)
            return self.ask(association)
        if association.is_rejected:
            return self._rejected(association.acceptor.primitive)
        if association.rejected_contexts:
            return f"{self.where} does not offer {self.wanted}"
        if not self._connected and not self._deadline.passed:
            return f"nothing listens on {self.where}"
        return self.broken_off()

    def _echoed(self, status: Any) -> str:
        if "Status" not in status:
            return self.broken_off()
        return "" if status.Status == 0 else f"{self.where} answered C-ECHO with status 0x{status.Status:04X}"

    def broken_off(self) -> str:
        return self.silence() if self._deadline.passed else f"{self.where} broke the association off"

    def _rejected(self, answer: Any) -> str:
        words = _REJECTIONS.get((answer.result_source, answer.diagnostic), "for a reason that DICOM does not define")
        names = {"calling": self.dicom.calling_ae_title, "called": self.dicom.ae_title}
        return f"{self.where} rejected the association: {words.format(**names)}"


def _printable(name: Any) -> str:
    """Keep what DICOM allows in it. Source: PS3.7, D.3.3.2.3: 16 characters of the ISO 646 basic set."""
    return "".join(character for character in str(name or "") if " " <= character <= "~")[:16].strip()


class _Caller(AE):
    """pynetdicom's, which would wait 40 ms for Nagle at each message and leave a refused socket open."""

    def __init__(self, title: str) -> None:
        super().__init__(ae_title=title)
        self._connection: socket.socket | None = None

    def hang_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):  # the usual case: it was released and closed
                self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.hang_up()
        if self._connection is not None:
            self._connection.close()

    def _create_socket(self, *arguments: Any) -> AssociationSocket:
        made = super()._create_socket(*arguments)
        if made.socket is not None:
            made.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = made.socket
        return made
