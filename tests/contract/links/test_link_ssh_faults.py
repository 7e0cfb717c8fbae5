"""What answers on an SSH port may be anything: each gets one sentence, in time and in bounded memory."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.errors import CouldNotLook, NodeUnreachable
from maintainer.links.ssh import SshLink
from maintainer.model.inventory import Node, SecretCredential, SecretFile, Ssh
from tests.contract.links.servers import free_port, write_key

SECOND = timedelta(seconds=1)


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Hand every caller to `serve`, one after the other."""
    listener = socket.create_server(("127.0.0.1", 0))

    def loop() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    serve(connection)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.fixture
def node(tmp_path: Path) -> Callable[[int], Node]:
    """The node whose sshd would be at this port."""
    host_key = write_key(tmp_path / "host")
    write_key(tmp_path / "client")
    key = SecretFile(file=str(tmp_path / "client"))
    return lambda port: Node(address="127.0.0.1", ssh=Ssh(user="root", port=port, host_key=host_key, key=key))


def silent(connection: socket.socket) -> None:
    connection.settimeout(3)
    while connection.recv(65536):
        pass


def endless(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 65536)


def endless_lines(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"welcome\r\n" * 1000)


def resetting(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def full(connection: socket.socket) -> None:
    connection.sendall(b"Exceeded MaxStartups\r\n")


def web(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"<p>sorry</p>\n" * 2000)
    silent(connection)


def old(connection: socket.socket) -> None:
    connection.sendall(b"SSH-1.5-old\r\n")
    silent(connection)


def banner_only(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-hangs\r\n")
    silent(connection)


def garbage(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-odd\r\n" + bytes(range(256)) * 200)
    silent(connection)


@pytest.mark.fault(21)
@pytest.mark.parametrize(
    ("serve", "sentence"),
    [
        (silent, "sent no SSH banner within 1 s"),
        (endless, "something else than an SSH banner"),
        (endless_lines, "something else than an SSH banner"),
        (resetting, "resets connections|closed the connection at once"),
        (full, "closed the connection at once"),
        (web, "something else than an SSH banner"),
        (old, "older than 2.0"),
        (banner_only, "did not finish the SSH handshake within 1 s"),
        (garbage, "broke off the SSH handshake"),
    ],
)
def test_an_odd_server(serve: Callable[[socket.socket], None], sentence: str, node: Callable[[int], Node]) -> None:
    """The sentence says what was seen, and comes within the timeout."""
    with listening(serve) as port:
        begun = time.monotonic()
        with pytest.raises(NodeUnreachable, match=sentence) as refusal:
            SshLink.connect("pacs-a", node(port), timeout=SECOND)
        assert time.monotonic() - begun < 2
    assert refusal.value.where == "pacs-a"
    assert refusal.value.hint


def test_an_unknown_name(node: Callable[[int], Node]) -> None:
    """A name that nobody knows is told from a machine that does not answer."""
    nowhere = node(22).model_copy(update={"address": "pacs-a.invalid"})
    with pytest.raises(NodeUnreachable, match=r"the name pacs-a\.invalid"):
        SshLink.connect("pacs-a", nowhere, timeout=timedelta(seconds=5))


@pytest.mark.fault(17)
def test_a_node_without_a_pinned_key_is_not_called(node: Callable[[int], Node]) -> None:
    """Nothing is sent to a machine that could not prove itself; the hint is a line to run and one to write."""
    called: list[socket.socket] = []
    with listening(called.append) as port:
        unpinned = node(port).model_copy(update={"ssh": node(port).ssh.model_copy(update={"host_key": None})})
        with pytest.raises(NodeUnreachable, match="no host key is written") as refusal:
            SshLink.connect("pacs-a", unpinned, timeout=SECOND)
    assert not called
    assert f"ssh-keyscan -T 5 -p {port} -t ed25519,ecdsa,rsa 127.0.0.1" in refusal.value.hint
    assert "nodes.pacs-a.ssh.host_key" in refusal.value.hint


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file"),
        ("pacs-b ssh-ed25519 AAAA\n", r"has no line for \[127.0.0.1\]"),
        ("@cert-authority * KEY\n", "names a certificate authority"),
        ("@revoked * KEY\n", "only revokes keys for"),
        ("* ssh-dss AAAA\n", "no key of a usable type"),
        ("@\n@revoked\n\x00\xff * * *\n|1|x|y ssh-ed25519 AAAA\n", "has no line for"),
    ],
)
def test_a_known_hosts_file_of_no_use(
    content: str | None, sentence: str, node: Callable[[int], Node], tmp_path: Path
) -> None:
    """Every way in which the file does not name the node is said, with the line to append."""
    file = tmp_path / "known_hosts"
    if content is not None:
        file.write_text(content.replace("KEY", write_key(tmp_path / "other")))
    ssh = node(free_port()).ssh.model_copy(update={"host_key": None, "known_hosts": str(file)})
    with pytest.raises(NodeUnreachable, match=sentence) as refusal:
        SshLink.connect("pacs-a", Node(address="127.0.0.1", ssh=ssh), timeout=SECOND)
    assert str(file) in refusal.value.hint


def test_a_known_hosts_file_that_anybody_may_change(node: Callable[[int], Node], tmp_path: Path) -> None:
    """Who can write the file can put another machine in the node's place."""
    file = tmp_path / "known_hosts"
    file.write_text("")
    file.chmod(0o666)
    ssh = node(22).ssh.model_copy(update={"host_key": None, "known_hosts": str(file)})
    with pytest.raises(NodeUnreachable, match="anybody may change"):
        SshLink.connect("pacs-a", Node(address="127.0.0.1", ssh=ssh), timeout=SECOND)


def _with_key(node: Node, secret: SecretFile | SecretCredential | None) -> Node:
    return node.model_copy(update={"ssh": node.ssh.model_copy(update={"key": secret})})


def test_a_key_with_passphrase(node: Callable[[int], Node], tmp_path: Path) -> None:
    """Nobody types a passphrase at night; the sentence says what to do instead."""
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 (for this test alone)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 (likewise)

    path = tmp_path / "locked"
    sealed = form.BestAvailableEncryption(b"open sesame")
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, sealed))
    path.chmod(0o600)
    with pytest.raises(CouldNotLook, match="protected by a passphrase"):
        SshLink.connect("pacs-a", _with_key(node(22), SecretFile(file=str(path))), timeout=SECOND)


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        ("ssh-ed25519 AAAA", 0o600, "not a private key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519", 0o600, "not a private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", 0o600, "damaged"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", 0o644, "others can read"),
    ],
)
def test_a_key_file_of_no_use(
    content: str, mode: int, sentence: str, node: Callable[[int], Node], tmp_path: Path
) -> None:
    """A key file is refused before anybody is called, and its content stays out of the message."""
    path = tmp_path / "mine"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(CouldNotLook, match=sentence) as refusal:
        SshLink.connect("pacs-a", _with_key(node(22), SecretFile(file=str(path))), timeout=SECOND)
    assert str(path) in str(refusal.value)
    assert "AAAA" not in str(refusal.value)


def test_no_key_and_no_agent(node: Callable[[int], Node], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key there is nothing to log in with, and no password is ever tried."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(NodeUnreachable, match="no private key to log in with"):
        SshLink.connect("pacs-a", _with_key(node(22), None), timeout=SECOND)


def test_an_agent_that_hangs(node: Callable[[int], Node], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that waits for a person does not hold the night's run."""
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(path))
        agent.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        begun = time.monotonic()
        with pytest.raises(NodeUnreachable, match="ssh-agent does not answer"):
            SshLink.connect("pacs-a", _with_key(node(22), None), timeout=SECOND)
        assert time.monotonic() - begun < 2
