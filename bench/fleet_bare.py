"""The least that a dry run over a fleet could take: bare paramiko threads that ask the very same and decide nothing.

    python -m bench.fleet_bare < JOB

For each host, in one of 50 threads: connect, exchange keys, compare the host key, log in by key, send the same request
to the node's program and read its answer; then log in to the database through a tunnel, once to see that it answers
and once for the same queries. There is no deadline, no bound, no retry and no check of an answer. JOB is JSON, as `Job`
says.
"""

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypedDict

import paramiko
import psycopg


class Job(TypedDict):
    """`request` is text of one character for each byte; `queries` are pairs of text and parameters."""

    addresses: list[str]
    port: int
    user: str
    key: str
    host_key: str
    command: str
    request: str
    database: dict[str, Any]
    queries: list[tuple[str, dict[str, Any]]]


def main(job: Job) -> None:
    key = paramiko.Ed25519Key.from_private_key_file(job["key"])
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda address: _host(address, key, job), job["addresses"]))


def _host(address: str, key: paramiko.PKey, job: Job) -> None:
    connection = socket.create_connection((address, job["port"]))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(connection)
    transport.start_client()
    if transport.get_remote_server_key().get_base64() != job["host_key"].split()[1]:
        raise SystemExit("another host key")
    transport.auth_publickey(job["user"], key)
    session = transport.open_session()
    session.exec_command(job["command"])
    session.sendall(job["request"].encode("latin-1"))
    session.shutdown_write()
    answer = b"".join(iter(lambda: session.recv(65536), b""))
    if session.recv_exit_status() or b'"ok":false' in answer:
        raise SystemExit(answer.decode())
    _query(transport, job, [("SELECT 1", {})])
    _query(transport, job, job["queries"])
    transport.close()


def _query(transport: paramiko.Transport, job: Job, queries: list[tuple[str, dict[str, Any]]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_carry, args=(transport, door, job["database"]["port"]), daemon=True).start()
        here = {**job["database"], "host": "127.0.0.1", "port": door.getsockname()[1]}
        with psycopg.connect(**here, autocommit=True) as connection:
            for text, parameters in queries:
                connection.execute(text, parameters or None).fetchall()


def _carry(transport: paramiko.Transport, door: socket.socket, port: int) -> None:
    inner, _ = door.accept()
    inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    channel = transport.open_channel("direct-tcpip", ("127.0.0.1", port), ("127.0.0.1", 0))
    threading.Thread(target=_copy, args=(channel.recv, inner.sendall), daemon=True).start()
    _copy(inner.recv, channel.sendall)


def _copy(receive: Callable[[int], bytes], send: Callable[[bytes], Any]) -> None:
    with contextlib.suppress(OSError, EOFError):  # the other side was closed first
        while data := receive(65536):
            send(data)


if __name__ == "__main__":
    main(json.load(sys.stdin))
