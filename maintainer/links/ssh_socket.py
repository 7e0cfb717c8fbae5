"""The TCP connection under an SSH link: opened within a deadline, and known to lead to an SSH server.

paramiko waits for a banner without bounding its size and says the same about a closed door, a silent one and a web
server; so the banner is looked at here first, and left in the socket.
"""

import contextlib
import os
import queue
import select
import socket
import threading
import time
from typing import Any

from maintainer.errors import NodeUnreachable
from maintainer.links.deadline import Deadline

_USER_TIMEOUT_MS = 15_000
_BANNER_BOUND = 16_384

Address = tuple[int, tuple[Any, ...]]
"""Address family and socket address, as `socket` wants them."""


class NotNow(NodeUnreachable):
    """What may pass by itself within seconds: sshd is restarting, or has as many callers as it takes."""


def dial(node: str, host: str, port: int, deadline: Deadline) -> socket.socket:
    """Open a connection whose next bytes are an SSH banner.

    Raises:
        NotNow: refused, reset or closed before the banner.
        NodeUnreachable: the name is unknown, nobody answers, or what answers is not an SSH server.
    """
    connection = _connect(node, host, port, resolve(node, host, port, deadline), deadline)
    try:
        _expect_banner(node, f"{host}:{port}", connection, deadline)
    except BaseException:
        connection.close()
        raise
    return connection


def resolve(node: str, host: str, port: int, deadline: Deadline) -> list[Address]:
    """Look the name up, but no longer than the deadline: a resolver may take minutes to give up.

    Raises:
        NodeUnreachable: the name is unknown, or no answer came in time.
    """
    with contextlib.suppress(OSError, UnicodeError):
        return _addresses(host, port, socket.AI_NUMERICHOST)
    answers: queue.SimpleQueue[list[Address] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_addresses(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    hint = f"try: getent ahosts {host}; or write the IP address as nodes.{node}.address"
    try:
        answer = answers.get(timeout=deadline.left)
    except queue.Empty:
        raise NodeUnreachable(
            f"the name {host} could not be looked up within {deadline}", where=node, hint=hint
        ) from None
    if isinstance(answer, OSError):
        raise NodeUnreachable(f"the name {host} is not known", where=node, hint=hint)
    return answer


def _addresses(host: str, port: int, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


def _connect(node: str, host: str, port: int, addresses: list[Address], deadline: Deadline) -> socket.socket:
    """Try each address, sharing out the time that is left."""
    failure: OSError = OSError()
    for position, (family, address) in enumerate(addresses):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(max(0.01, deadline.left / (len(addresses) - position)))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return _tune(connection)
    raise _unreachable(node, f"{host}:{port}", failure, deadline)


def _tune(connection: socket.socket) -> socket.socket:
    # Without TCP_NODELAY each command waits 40 ms for Nagle; without TCP_USER_TIMEOUT a cut cable is noticed after
    # a quarter of an hour, because keepalive does not run while data is unacknowledged.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connection


def _unreachable(node: str, where: str, error: OSError, deadline: Deadline) -> NodeUnreachable:
    if isinstance(error, ConnectionRefusedError):
        return NotNow(f"nothing listens on {where}", where=node, hint="is sshd running there, and is the port right?")
    if isinstance(error, ConnectionResetError):
        return NotNow(
            f"{where} resets connections", where=node, hint="a firewall or sshd does not want this machine's calls"
        )
    if isinstance(error, TimeoutError):
        return NodeUnreachable(
            f"{where} did not answer within {deadline}",
            where=node,
            hint="is the machine up, and does a firewall let this one through?",
        )
    return NodeUnreachable(
        f"{where} cannot be reached: {os.strerror(error.errno or 0)}", where=node, hint="check the network and routes"
    )


def _expect_banner(node: str, where: str, connection: socket.socket, deadline: Deadline) -> None:
    """Wait for a line that starts with `SSH-2.0-` or `SSH-1.99-`; other lines may come first.

    Source: RFC 4253, 4.2.
    """
    seen = 0
    while True:
        content = _peek(node, where, connection, deadline)
        for line in content.split(b"\n")[:-1]:
            if line.startswith((b"SSH-2.0-", b"SSH-1.99-")):
                return
            if line.startswith(b"SSH-"):
                raise NodeUnreachable(
                    f"{where} speaks only an SSH protocol older than 2.0", where=node, hint="update sshd on the node"
                )
        if len(content) >= _BANNER_BOUND:
            raise NodeUnreachable(
                f"{where} sends something else than an SSH banner", where=node, hint="is the port that of sshd?"
            )
        if len(content) == seen:
            time.sleep(0.01)  # a peek returns the same bytes at once, so wait for the rest of the line
        seen = len(content)


def _peek(node: str, where: str, connection: socket.socket, deadline: Deadline) -> bytes:
    try:
        readable = _poll(connection, select.POLLIN, deadline.left)
        content = connection.recv(_BANNER_BOUND, socket.MSG_PEEK) if readable else b""
    except OSError as error:
        raise _unreachable(node, where, error, deadline) from None
    if not readable or deadline.passed:
        raise NodeUnreachable(
            f"{where} accepted the connection but sent no SSH banner within {deadline}",
            where=node,
            hint="sshd hangs or the machine is out of memory or processes: look at its console",
        )
    if not content or _poll(connection, select.POLLRDHUP, 0):
        raise NotNow(
            f"{where} closed the connection at once",
            where=node,
            hint="sshd has too many callers (MaxStartups), or bans this machine (PerSourcePenalties, fail2ban)",
        )
    return content


def _poll(connection: socket.socket, event: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(connection, event)
    return bool(poll.poll(seconds * 1000))


def close_quietly(connection: socket.socket) -> None:
    """End both directions before closing, so that a thread that reads from it wakes up."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
