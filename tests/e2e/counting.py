"""A stretch of network that counts: whoever connects to its port reaches another one, and every byte is counted."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from maintainer.practice.layout import ADDRESS


class Counter:
    """Bytes in both directions over all connections so far. `port`: where to connect to."""

    def __init__(self, to: int) -> None:
        self.bytes = 0
        self._to, self._lock = to, threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((ADDRESS, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for it
            one.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((ADDRESS, self._to))
                self._open += (near, far)
                for source, target in ((near, far), (far, near)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                with self._lock:
                    self.bytes += len(part)
                target.sendall(part)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def counted(to: int) -> Iterator[Counter]:
    counter = Counter(to)
    try:
        yield counter
    finally:
        counter.close()
