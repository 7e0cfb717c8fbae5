"""A private door on this machine to a port on the node, through the SSH connection that already stands.

The door is a unix socket in a folder that only this user can enter: nobody else on the controller can use it, and no
port is taken. Its name is the one that libpq looks for.
"""

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import paramiko

from maintainer.errors import MaintainerError
from maintainer.links.ssh import SshLink
from maintainer.links.ssh_command import BROKEN, close_channel
from maintainer.links.ssh_socket import close_quietly

DOOR_PORT = 5432
_DOOR = f".s.PGSQL.{DOOR_PORT}"
_CHUNK = 65_536
_LONGEST_PATH = 107
"""Bytes that a unix socket's path may have. Source: unix(7)."""
_FIRST_ANSWER = 4_096


class Tunnel:
    """Carries every connection made to its door to `host:port` as the node sees it."""

    def __init__(self, link: SshLink, host: str, port: int) -> None:
        self.link = link
        self.host = host
        self.port = port
        self.refusal: MaintainerError | None = None
        """Why the last connection could not be carried."""
        self.first_answer = b""
        """The first bytes that the far end sent on the newest connection."""
        self._folder = _private_folder()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / _DOOR))
        self._listener.listen()
        self._closing = threading.Event()
        self._open: dict[socket.socket, paramiko.Channel | None] = {}
        self._carriers: list[threading.Thread] = []
        self._door = threading.Thread(target=self._accept, name=f"tunnel to {link.name}", daemon=True)
        self._door.start()

    @property
    def folder(self) -> str:
        """The folder of the door: libpq's `host`."""
        return str(self._folder)

    def cut(self) -> None:
        """End every connection now; the door stays open for new ones."""
        for connection, channel in list(self._open.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            if channel is not None:
                close_channel(channel)

    def close(self) -> None:
        self._closing.set()
        close_quietly(self._listener)
        self._door.join(5)
        self.cut()
        for carrier in self._carriers:
            carrier.join(5)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._carriers = [carrier for carrier in self._carriers if carrier.is_alive()]
            # A thread each: while one waits for the node, another may have to carry the word to cancel.
            carrier = threading.Thread(target=self._carry, args=(connection,), daemon=True)
            self._carriers.append(carrier)
            carrier.start()

    def _carry(self, connection: socket.socket) -> None:
        self._open[connection] = None
        try:
            channel = self.link.open_tunnel(self.host, self.port)
        except MaintainerError as error:
            self.refusal = error
        else:
            self.refusal = None
            self.first_answer = b""
            self._open[connection] = channel
            self._pump_both_ways(connection, channel)
        finally:
            del self._open[connection]
            close_quietly(connection)

    def _pump_both_ways(self, connection: socket.socket, channel: paramiko.Channel) -> None:
        upwards = threading.Thread(
            target=_pump, args=(connection.recv, channel.sendall, channel.shutdown_write), daemon=True
        )
        upwards.start()
        _pump(channel.recv, lambda data: self._deliver(connection, data), lambda: _finish(connection, channel))
        upwards.join()
        close_channel(channel)

    def _deliver(self, connection: socket.socket, data: bytes) -> None:
        if len(self.first_answer) < _FIRST_ANSWER:
            self.first_answer += data[:_FIRST_ANSWER]
        connection.sendall(data)


def _pump(receive: Callable[[int], bytes], send: Callable[[bytes], None], finish: Callable[[], None]) -> None:
    """Pass bytes on until either end has finished, then say so to the other."""
    with contextlib.suppress(*BROKEN):
        while data := receive(_CHUNK):
            send(data)
    with contextlib.suppress(*BROKEN):
        finish()


def _finish(connection: socket.socket, channel: paramiko.Channel) -> None:
    """Pass on that the far end sends no more. Closing alone would not wake a client that waits to read the end."""
    connection.shutdown(socket.SHUT_RDWR if channel.closed else socket.SHUT_WR)


def _private_folder() -> Path:
    """Make a folder that only this user can enter, with a path short enough for a socket in it."""
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 (mkdtemp makes it ours alone)
        if parent and len(parent) + len("/maintainer-xxxxxxxx/") + len(_DOOR) <= _LONGEST_PATH:
            with contextlib.suppress(OSError):
                return Path(tempfile.mkdtemp(prefix="maintainer-", dir=parent))
    raise MaintainerError(
        "no folder for a private socket could be made",
        where=tempfile.gettempdir(),
        hint="make room in /tmp, or set XDG_RUNTIME_DIR to a writable folder",
    )
