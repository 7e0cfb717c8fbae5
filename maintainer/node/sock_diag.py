"""What the kernel tells of the TCP connections to a port of this node: those there are, and those that were closed.

It is what the process sees: the network namespace that it runs in, and none beside it.

Source: sock_diag(7), netlink(7), socket(7) for SO_ATTACH_FILTER; struct tcp_info of linux/tcp.h; linux/sock_diag.h.
"""

import array
import errno
import socket
import struct

ESTABLISHED, _FIN_WAIT1, _CLOSE_WAIT, _LAST_ACK, _CLOSING = 1, 4, 8, 9, 11
COUNTING = (ESTABLISHED, _FIN_WAIT1, _CLOSE_WAIT, _LAST_ACK, _CLOSING)
"""In which a connection always has a tcp_info: FIN_WAIT2 and TIME_WAIT may be all that is left of one."""
_SOCK_DIAG, _BY_FAMILY, _DUMP = 4, 20, 0x301
_DESTROYED = 0b101  # groups SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY
_ERROR, _DONE = 2, 3
_INFO = 2  # INET_DIAG_INFO
_BYTES_ACKED, _BYTES_RECEIVED = 120, 128  # offsets in struct tcp_info
_HEADER, _MESSAGE, _ATTRIBUTE = 16, 72, 4  # struct nlmsghdr, inet_diag_msg, nlattr
_LOCAL_PORT, _NAMED = 4, 52  # start and end of its id in struct inet_diag_msg; what follows is the timer
_SECONDS = 5
_ATTACH_FILTER = 26
_LOAD_HALF, _IF_EQUAL, _RETURN = 0x28, 0x15, 0x06
_MOST_WAITING = 1 << 20


def counted(port, count, states):
    """Connection → what `count` finds in its message, or None when the kernel cannot be asked."""
    found = {}
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            for message in _dump(family, port, states):
                found[_name(message)] = count(message)
    except OSError as error:
        if error.errno == errno.EINTR:
            raise
        return None
    return found


def _dump(family, port, states):
    wanted = sum(1 << state for state in states)
    ask = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, wanted)
    ask += struct.pack("!HH", port, 0) + bytes(36) + b"\xff" * 8
    local = struct.pack("!H", port)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as kernel:
        kernel.settimeout(_SECONDS)
        kernel.send(struct.pack("=IHHII", _HEADER + len(ask), _BY_FAMILY, _DUMP, 1, 0) + ask)
        while True:
            for kind, message in messages(kernel.recv(1 << 18)):
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError(-struct.unpack_from("=i", message)[0], "sock_diag")
                if message[0] == family and message[1] in states and message[4:6] == local:
                    yield message


class Closings:
    """What connections to a port had moved when they were closed, from the moment it is opened.

    Any user may listen, from Linux 4.2 on; where not, `listens` is false and nothing is ever told. The kernel keeps
    what is not drained, some hundreds of closings; `overflowed` when the last drain found that it could not keep all.
    Only those of the port wait there: a web server beside the archive fills nothing.
    """

    def __init__(self, port):
        self.overflowed = False
        try:
            self._kernel = _listening(port)
        except OSError:
            self._kernel = None

    @property
    def listens(self):
        return self._kernel is not None

    def drain(self):
        """Connection → bytes both ways at its end, of what was closed since; it does not wait."""
        closed, self.overflowed = {}, False
        while self.listens:
            try:
                raw = self._kernel.recv(1 << 13)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # Nothing more is kept until all that waits is taken.
                self.overflowed = True
                continue
            for _, message in messages(raw):
                closed[_name(message)] = bytes_both_ways(message)
        return closed

    def close(self):
        if self.listens:
            self._kernel.close()
            self._kernel = None


def _listening(port):
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG)
    try:
        kernel.setblocking(False)
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _MOST_WAITING)
        _attach(kernel, _filter(port))
        kernel.bind((0, _DESTROYED))
    except OSError:
        kernel.close()
        raise
    return kernel


def _filter(port):
    """Instructions of a packet filter (code, jump if true, if false, operand) that keeps messages of a local port."""
    yield _LOAD_HALF, 0, 0, _HEADER + _LOCAL_PORT
    yield _IF_EQUAL, 0, 1, port
    yield _RETURN, 0, 0, 0xFFFFFFFF
    yield _RETURN, 0, 0, 0


def _attach(kernel, instructions):
    packed = [struct.pack("=HBBI", *instruction) for instruction in instructions]
    held = array.array("B", b"".join(packed))
    kernel.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(packed), held.buffer_info()[0]))


def messages(raw):
    while len(raw) >= _HEADER:
        length, kind = struct.unpack_from("=IH", raw)
        yield kind, raw[_HEADER:length]
        raw = raw[(length + 3) & ~3 :] if length >= _HEADER else b""


def _name(message):
    return message[_LOCAL_PORT:_NAMED]


def bytes_received(message):
    return _of_tcp_info(message, _BYTES_RECEIVED)


def bytes_both_ways(message):
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
