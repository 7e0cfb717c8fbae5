"""How many TCP connections to a port of this node are open, and what came in over them while it was watched.

Request {"port", "watch_seconds"}; answers {"established", "received_bytes"}. `received_bytes` is None where the kernel
does not tell (before 4.1, or without tcp_diag).

Source: sock_diag(7); struct tcp_info of linux/tcp.h; proc_net(5).
"""

import errno
import os
import socket
import struct
import time

from maintainer.node.envelope import mapping, number

_ESTABLISHED = 1
_SOCK_DIAG, _BY_FAMILY, _DUMP = 4, 20, 0x301
_ERROR, _DONE = 2, 3
_INFO = 2  # INET_DIAG_INFO
_BYTES_ACKED, _BYTES_RECEIVED = 120, 128  # offsets in struct tcp_info
_HEADER, _MESSAGE, _ATTRIBUTE = 16, 72, 4  # struct nlmsghdr, inet_diag_msg, nlattr
_NAMED = 52  # end of its id in struct inet_diag_msg; what follows is the timer
_SECONDS = 5


def run(request, _policy, deadline):
    mapping(request, "request", ("port", "watch_seconds"))
    port = int(number(request["port"], "port", 1, 65535))
    watch = number(request["watch_seconds"], "watch_seconds", 0, 10)
    before = _received(port)
    if before is None:
        return {"established": established(port), "received_bytes": None}
    time.sleep(min(watch, deadline.left()))
    now = _received(port) if watch else before
    return {"established": len(now), "received_bytes": _growth(before, now)}


def traffic(port):
    """Connection → bytes that went over it so far, both ways; None where the kernel does not tell."""
    found = _by_connection(port, _bytes_both_ways)
    return None if found is None or None in found.values() else found


def _growth(before, now):
    if None in now.values():
        return None
    return sum(max(0, now[peer] - before.get(peer, 0)) for peer in now)


def _received(port):
    """Connection → bytes that came in over it so far, or None when the kernel cannot be asked."""
    return _by_connection(port, _bytes_received)


def _by_connection(port, count):
    found = {}
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            for message in _dump(family, port):
                found[message[4:_NAMED]] = count(message)
    except OSError as error:
        if error.errno == errno.EINTR:
            raise
        return None
    return found


def _dump(family, port):
    ask = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, 1 << _ESTABLISHED)
    ask += struct.pack("!HH", port, 0) + bytes(36) + b"\xff" * 8
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as kernel:
        kernel.settimeout(_SECONDS)
        kernel.send(struct.pack("=IHHII", _HEADER + len(ask), _BY_FAMILY, _DUMP, 1, 0) + ask)
        while True:
            for kind, message in _messages(kernel.recv(1 << 18)):
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError(-struct.unpack_from("=i", message)[0], "sock_diag")
                if message[0] == family and message[1] == _ESTABLISHED and message[4:6] == struct.pack("!H", port):
                    yield message


def _messages(raw):
    while len(raw) >= _HEADER:
        length, kind = struct.unpack_from("=IH", raw)
        yield kind, raw[_HEADER:length]
        raw = raw[(length + 3) & ~3 :] if length >= _HEADER else b""


def _bytes_received(message):
    return _of_tcp_info(message, _BYTES_RECEIVED)


def _bytes_both_ways(message):
    sent, received = _of_tcp_info(message, _BYTES_ACKED), _of_tcp_info(message, _BYTES_RECEIVED)
    return None if sent is None or received is None else sent + received


def _of_tcp_info(message, offset):
    attributes = message[_MESSAGE:]
    while len(attributes) >= _ATTRIBUTE:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == _INFO and length >= _ATTRIBUTE + offset + 8:
            return struct.unpack_from("=Q", attributes, _ATTRIBUTE + offset)[0]
        attributes = attributes[(max(_ATTRIBUTE, length) + 3) & ~3 :]
    return None


def established(port):
    """Count by the table that every kernel has."""
    local, count = ":{:04X}".format(port), 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(table):
            continue  # no IPv6 here
        with open(table) as lines:
            next(lines)
            count += sum(1 for line in lines if line.split()[1].endswith(local) and line.split()[3] == "01")
    return count
