"""The SSH connection to one node: pinned, bounded in time and size, never interactive.

Commands run without a terminal: when the link is cut, a command on a terminal would be killed half-way.
"""

import contextlib
import logging
import secrets as randomness
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

import paramiko

from maintainer.errors import CouldNotLook, LinkLost, NodeUnreachable
from maintainer.links.completed import Completed
from maintainer.links.deadline import Deadline
from maintainer.links.host_keys import HostKey, Pins, pins_of
from maintainer.links.ssh_auth import authenticate, signers
from maintainer.links.ssh_command import BROKEN, Conversation, close_channel
from maintainer.links.ssh_socket import NotNow, close_quietly, dial
from maintainer.model.inventory import Node

# paramiko logs tracebacks of what is foreseen here and said in a sentence.
logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

_CONNECT_WITHIN = timedelta(seconds=10)
_KEEPALIVE_SECONDS = 10
_LONGEST_PAUSE_SECONDS = 2.0
_WAIT_FOR_SESSION = timedelta(seconds=5)
_JITTER = randomness.SystemRandom()


class NoAnswer(CouldNotLook):
    """What was asked is not there or said no; the way to it is fine. To a probe this is an answer."""


class _Transport(paramiko.Transport):
    """paramiko's, without CBC, 3DES, SHA-1 and MD5, and without its version in the banner."""

    _CLIENT_ID = "maintainer"
    _preferred_ciphers = (
        "aes256-gcm@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-ctr",
        "aes192-ctr",
        "aes128-ctr",
    )
    _preferred_macs = (
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
    )


class SshLink:
    """A connection to one node. Several threads may use it, each for a command or a tunnel of its own."""

    def __init__(self, name: str, transport: paramiko.Transport) -> None:
        self.name = name
        self._transport = transport
        self._opening = threading.Lock()

    @classmethod
    def connect(cls, name: str, node: Node, *, timeout: timedelta = _CONNECT_WITHIN) -> Self:
        """Reach the node, make sure that it is the one the inventory pins, and log in.

        Tries again while the node refuses for what may pass by itself, until `timeout`.

        Raises:
            NodeUnreachable: nobody there, another machine, or the node does not let us in.
            CouldNotLook: the private key cannot be read.
        """
        pins = pins_of(name, node)
        deadline = Deadline(timeout)
        with signers(name, node, deadline) as keys:

            def attempt() -> paramiko.Transport:
                transport = _meet(name, node, pins, deadline)
                try:
                    authenticate(name, node, transport, keys, deadline)
                except BaseException:
                    _end(transport)
                    raise
                return transport

            transport = _patiently(attempt, deadline)
        transport.set_keepalive(_KEEPALIVE_SECONDS)
        return cls(name, transport)

    def run(self, command: str, stdin: bytes, timeout: timedelta, *, at_most: int = 8_000_000) -> Completed:
        """Run one command and collect what it answers, `at_most` so many bytes of both outputs together.

        Raises:
            CouldNotLook: the node opens no session, or the answer is larger than `at_most`.
            LinkLost: no ending was seen, by the deadline or ever. The command may have done its work.
        """
        deadline = Deadline(timeout)
        channel = self._session(deadline)
        try:
            return Conversation(self.name, channel, deadline, at_most).hold(command, stdin)
        finally:
            close_channel(channel)

    def open_tunnel(self, host: str, port: int, timeout: timedelta = _CONNECT_WITHIN) -> paramiko.Channel:
        """Open a byte stream from the node to `host:port` as the node sees it.

        Raises:
            NoAnswer: nothing listens there.
            CouldNotLook: the node forwards nothing, or not in time.
            LinkLost: the connection to the node is gone.
        """
        try:
            return self._open("direct-tcpip", Deadline(timeout), (host, port))
        except paramiko.ChannelException as error:
            raise self._not_forwarded(f"{host}:{port}", error.code) from None

    def alive(self) -> bool:
        """Tell whether the connection stands, as far as this end can know."""
        return self._transport.is_active()

    def close(self) -> None:
        _end(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _session(self, deadline: Deadline) -> paramiko.Channel:
        """Open a session, waiting a little for one of our own to end where the node allows few (MaxSessions)."""
        patience = Deadline(min(_WAIT_FOR_SESSION, deadline.allowed))
        while True:
            try:
                return self._open("session", deadline)
            except paramiko.ChannelException:
                if patience.passed:
                    raise CouldNotLook(
                        "the node opens no further session",
                        where=self.name,
                        hint="raise MaxSessions in its sshd_config, or end what else uses this connection",
                    ) from None
                time.sleep(_JITTER.uniform(0.02, 0.1))

    def _open(self, kind: str, deadline: Deadline, target: tuple[str, int] | None = None) -> paramiko.Channel:
        """Open one channel at a time: paramiko keeps the reason of a refusal in a place that all threads share."""
        if not self._opening.acquire(timeout=deadline.left):
            raise self._silent_or_lost()
        try:
            return self._transport.open_channel(kind, target, target and ("127.0.0.1", 0), timeout=deadline.left)
        except paramiko.ChannelException:
            raise
        except BROKEN:
            raise self._silent_or_lost() from None
        finally:
            self._opening.release()

    def _silent_or_lost(self) -> CouldNotLook:
        if self.alive():
            return CouldNotLook("sshd opened no channel in time", where=self.name, hint="is the node overloaded?")
        return LinkLost("the SSH connection was lost", where=self.name, hint="nothing new was asked; try again")

    def _not_forwarded(self, where: str, code: int) -> CouldNotLook:
        if code == paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED:
            return CouldNotLook(
                f"the node does not forward connections to {where}",
                where=self.name,
                hint=f'allow it in sshd_config or authorized_keys: AllowTcpForwarding local, permitopen="{where}"',
            )
        return NoAnswer(f"nothing listens on {where} on the node", where=self.name, hint="is it running there?")


def _meet(name: str, node: Node, pins: Pins, deadline: Deadline) -> paramiko.Transport:
    """Shake hands, and go no further with a machine that does not hold a pinned key."""
    connection = dial(name, node.address, node.ssh.port, deadline)
    try:
        transport = _Transport(connection)
        transport.get_security_options().key_types = pins.algorithms
        transport.banner_timeout = transport.handshake_timeout = deadline.left
    except BaseException:
        close_quietly(connection)
        raise
    try:
        _shake_hands(name, node, pins, transport, deadline)
        key = transport.get_remote_server_key()
        pins.check(HostKey(key.get_name(), key.asbytes()))
    except BaseException:
        _end(transport)
        raise
    return transport


def _shake_hands(name: str, node: Node, pins: Pins, transport: paramiko.Transport, deadline: Deadline) -> None:
    where = f"{node.address}:{node.ssh.port}"
    try:
        transport.start_client(timeout=deadline.left)
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise _incompatible(name, pins, str(error)) from None
    except BROKEN:
        if not deadline.passed:
            raise NotNow(
                f"{where} broke off the SSH handshake", where=name, hint="sshd's log on the node says why"
            ) from None
    if not transport.initial_kex_done:
        raise NodeUnreachable(
            f"{where} did not finish the SSH handshake within {deadline}",
            where=name,
            hint="sshd hangs or the machine is overloaded: look at its console",
        )


def _incompatible(name: str, pins: Pins, said: str) -> NodeUnreachable:
    """Say which kind of algorithm the two ends do not share."""
    if "host key" in said:
        kinds = " or ".join(sorted({key.kind for key in pins.accepted}))
        return NodeUnreachable(
            f"the node has no host key of type {kinds}, as {pins.source} says (or signs with it by SHA-1 only)",
            where=name,
            hint=f"if the node was installed anew, compare its keys at its own console and then {pins.remedy}",
        )
    weak = {"cipher": "Ciphers aes256-ctr", "mac": "MACs hmac-sha2-256", "kex": "KexAlgorithms curve25519-sha256"}
    setting = next((line for word, line in weak.items() if word in said), "Protocol 2")
    return NodeUnreachable(
        f"the node offers only algorithms that are no longer safe (CBC, 3DES, SHA-1, MD5): nothing in common for "
        f"{setting.split()[0]}",
        where=name,
        hint=f"update sshd on the node, or add to its sshd_config: {setting}",
    )


def _patiently(attempt: Callable[[], paramiko.Transport], deadline: Deadline) -> paramiko.Transport:
    """Try until the deadline, with growing pauses of random length so that many callers do not come at once."""
    pause = 0.1
    while True:
        try:
            return attempt()
        except NotNow:
            wait = _JITTER.uniform(0.5, 1.5) * pause
            if wait >= deadline.left:
                raise
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _end(transport: paramiko.Transport) -> None:
    # The handshake's timer thread would otherwise keep the process alive until it fires.
    transport.packetizer.complete_handshake()
    # Wakes the reading thread, which would otherwise look up only every 100 ms.
    with contextlib.suppress(OSError):
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()
    if transport.is_alive() and transport is not threading.current_thread():
        transport.join(2.0)
    transport.sock.close()
