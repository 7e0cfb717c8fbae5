"""What a C-ECHO finds out, against real pynetdicom archives and peers that only pretend."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from pynetdicom import PYNETDICOM_IMPLEMENTATION_VERSION

from maintainer.links.dicom import echo
from maintainer.model.inventory import Dicom
from tests.contract.links.servers import end, free_port

ARCHIVE = """
import sys, time
from pynetdicom import AE, evt
entity = AE(ae_title="PACS-A")
entity.add_supported_context(sys.argv[2])
entity.require_called_aet = True
entity.require_calling_aet = [sys.argv[4]] if len(sys.argv) > 4 else []
handlers = [(evt.EVT_C_ECHO, lambda event: int(sys.argv[3]))]
entity.start_server(("127.0.0.1", int(sys.argv[1])), block=False, evt_handlers=handlers)
print("ready", flush=True)
time.sleep(120)
"""
VERIFICATION = "1.2.840.10008.1.1"


@contextmanager
def archive(
    context: str = VERIFICATION, status: int = 0, *caller: str
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = free_port()
    words = [sys.executable, "-c", ARCHIVE, str(port), context, str(status), *caller]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield port, process
    finally:
        end(process)


def called(port: int, title: str = "PACS-A", seconds: float = 5) -> Dicom:
    return Dicom(port=port, ae_title=title, timeout=timedelta(seconds=seconds))


def test_a_name_with_an_address_on_which_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive on IPv4 alone is not called dead because its name has an IPv6 address too."""
    look_up = socket.getaddrinfo

    def two_addresses(host: str, *rest: Any, **named: Any) -> list[Any]:
        hosts = ("127.0.0.2", "127.0.0.1") if host == "pacs-a.example" else (host,)
        return [entry for one in hosts for entry in look_up(one, *rest, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    with archive() as (port, _):
        assert echo("pacs-a.example", called(port))["answered"] is True


def test_an_archive_answers_quickly() -> None:
    """A healthy archive answers without the 40 ms that Nagle's algorithm would add to each message."""
    with archive() as (port, _):
        answers = [echo("127.0.0.1", called(port)) for _ in range(3)]
    assert all(answer["answered"] and answer["why"] == "" for answer in answers)
    assert min(answer["seconds"] for answer in answers) < 0.2
    assert {answer["implementation"] for answer in answers} == {PYNETDICOM_IMPLEMENTATION_VERSION}


def test_a_called_title_that_is_not_recognised() -> None:
    """The reason of the rejection is said in words, with the title."""
    with archive() as (port, _):
        answer = echo("127.0.0.1", called(port, "PACS-B"))
    assert answer["answered"] is False
    assert answer["why"].endswith("rejected the association: the called AE title PACS-B is not recognised")


def test_a_calling_title_that_is_not_recognised() -> None:
    """The archive must be told about us: the sentence says which title."""
    with archive(VERIFICATION, 0, "MODALITY") as (port, _):
        assert echo("127.0.0.1", called(port))["why"].endswith("the calling AE title MAINTAINER is not recognised")


def test_an_archive_without_verification() -> None:
    """An archive that takes no C-ECHO does not serve, as far as this can tell."""
    with archive("1.2.840.10008.5.1.4.1.1.2") as (port, _):
        assert echo("127.0.0.1", called(port))["why"].endswith("does not offer the Verification service")


def test_an_archive_that_answers_with_an_error() -> None:
    """An answer other than success is no service."""
    with archive(VERIFICATION, 0x0110) as (port, _):
        assert echo("127.0.0.1", called(port))["why"].endswith("answered C-ECHO with status 0x0110")


def test_an_archive_that_hangs() -> None:
    """A stopped process still has its connections accepted by the kernel: the probe ends in time."""
    with archive() as (port, process):
        process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        answer = echo("127.0.0.1", called(port, seconds=1))
        assert time.monotonic() - begun < 2
    assert answer["answered"] is False
    assert answer["why"].endswith("took the connection but did not answer within 1 s")


def test_nobody_listens() -> None:
    """A closed port is told from a hanging archive."""
    port = free_port()
    assert echo("127.0.0.1", called(port))["why"] == f"nothing listens on 127.0.0.1:{port}"


@contextmanager
def pretending(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with suppress(OSError), listener.accept()[0] as connection:
            serve(connection)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(5)


def drip(connection: socket.socket) -> None:
    """Announce a long PDU and send it at one byte a moment."""
    connection.sendall(b"\x02\x00\x00\x00\xff\xff")
    while True:
        connection.sendall(b"\x00")
        time.sleep(0.05)


def hang_up(connection: socket.socket) -> None:
    connection.recv(65536)


def babble(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.recv(65536)


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (drip, "did not answer within 1 s"),
        (hang_up, "broke the association off"),
        (babble, "broke the association off"),
    ],
)
def test_a_peer_that_is_no_archive(serve: Callable[[socket.socket], None], why: str) -> None:
    """Whatever is sent, the probe has its answer in time and leaves no thread behind."""
    threads = threading.active_count()
    with pretending(serve) as port:
        begun = time.monotonic()
        answer = echo("127.0.0.1", called(port, seconds=1))
        assert time.monotonic() - begun < 2
    assert answer["answered"] is False
    assert why in answer["why"]
    end_by = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < end_by:
        time.sleep(0.05)
    assert threading.active_count() <= threads
