"""Real servers on loopback for the link tests: OpenSSH, asyncssh and PostgreSQL, each in a folder of its own."""

import contextlib
import getpass
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from maintainer.model.inventory import Node, SecretFile, Ssh

SSHD = Path("/usr/sbin/sshd")


def makes() -> list[Any]:
    """What an SSH server may be; under CI no make may be missing."""
    missing = pytest.mark.skipif(
        not SSHD.exists() and not os.environ.get("CI"),
        reason="no /usr/sbin/sshd here: apt-get install openssh-server",
    )
    return [pytest.param("openssh", marks=missing), "asyncssh"]


def write_key(path: Path, kind: str = "ed25519") -> str:
    """Write a private key as ssh-keygen would; answers the public key's line."""
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    elif kind == "ecdsa":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.OpenSSH
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    path.chmod(0o600)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(0.01)


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def kill(pid: int, by: signal.Signals = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, by)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def end(process: subprocess.Popen[bytes]) -> None:
    """End what a test started, and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


@dataclass
class SshServer:
    """One that runs, and the node that an inventory would say it is."""

    port: int
    public_key: str
    client_key: Path
    process: subprocess.Popen[bytes]
    folder: Path

    def node(self, *, host_key: str | None = None, known_hosts: Path | None = None, key: Path | None = None) -> Node:
        if host_key is None and known_hosts is None:
            host_key = self.public_key
        return Node(
            address="127.0.0.1",
            ssh=Ssh(
                user=getpass.getuser(),
                port=self.port,
                host_key=host_key,
                known_hosts=str(known_hosts) if known_hosts else None,
                key=SecretFile(file=str(key or self.client_key)),
            ),
        )


Start = Callable[..., SshServer]
"""Start a server: `kind` of host key, `weak` algorithms only, `options` of that server's own."""


def start_openssh(folder: Path, *, kind: str = "ed25519", weak: str = "", options: tuple[str, ...] = ()) -> SshServer:
    client_key, public_key = _keys(folder, kind)
    weakness = {
        "ciphers": ("Ciphers aes128-cbc,aes256-cbc,3des-cbc",),
        "macs": ("MACs hmac-sha1,hmac-md5",),
        "kex": ("KexAlgorithms diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",),
    }
    port = free_port()
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder}/host",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        f"PidFile {folder}/sshd.pid",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin yes",
        "LogLevel VERBOSE",
        # A home of the server's own; and without SHLVL bash would read the user's .bashrc, whatever that costs.
        f"SetEnv SHLVL=2 HOME={folder}/home",
        *weakness.get(weak, ()),
        *options,
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    (folder / "home").mkdir()
    return SshServer(port, public_key, client_key, _run_openssh(folder, port), folder)


def _run_openssh(folder: Path, port: int) -> subprocess.Popen[bytes]:
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    argv = [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")]
    with (folder / "sshd.log").open("ab") as log:
        process = subprocess.Popen(argv, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: accepts(port) or process.poll() is not None)
    assert process.poll() is None, (folder / "sshd.log").read_text()
    return process


def start_again(server: SshServer) -> None:
    """Start an OpenSSH server that was killed, on the port that it had."""
    end(server.process)
    server.process = _run_openssh(server.folder, server.port)


def start_asyncssh(folder: Path, *, kind: str = "ed25519", weak: str = "", options: tuple[str, ...] = ()) -> SshServer:
    assert not options, "these are for sshd"
    client_key, public_key = _keys(folder, kind)
    weakness = {
        "ciphers": {"encryption_algs": ["aes128-cbc", "3des-cbc"]},
        "macs": {"mac_algs": ["hmac-sha1", "hmac-md5"], "encryption_algs": ["aes128-ctr"]},
        "kex": {"kex_algs": ["diffie-hellman-group14-sha1"]},
    }
    settings = {
        "server_host_keys": [str(folder / "host")],
        "authorized_client_keys": str(folder / "authorized_keys"),
        **weakness.get(weak, {}),
    }
    file = folder / "settings.json"
    file.write_text(json.dumps(settings))
    with (folder / "asyncssh.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("asyncssh_server.py")), str(file)],
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "HOME": str(folder / "home")},
        )
    assert process.stdout is not None
    port = process.stdout.readline()
    assert port, (folder / "asyncssh.log").read_text()
    return SshServer(int(port), public_key, client_key, process, folder)


def _keys(folder: Path, kind: str) -> tuple[Path, str]:
    folder.mkdir(exist_ok=True)
    public_key = write_key(folder / "host", kind)
    (folder / "authorized_keys").write_text(write_key(folder / "client") + "\n")
    return folder / "client", public_key


def starter(make: str) -> Start:
    return {"openssh": start_openssh, "asyncssh": start_asyncssh}[make]


def children(pid: int) -> list[int]:
    """Ids of the processes that this one started, at any depth."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end while it is looked at
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in task.read_text().split():
                found += [int(child), *children(int(child))]
    return found


def kill_all(server: SshServer) -> None:
    for pid in (*children(server.process.pid), server.process.pid):
        kill(pid)


@contextlib.contextmanager
def frozen(server: SshServer) -> Iterator[None]:
    """Stop the server's processes, as a machine out of memory would; the kernel still acknowledges TCP."""
    stopped = [server.process.pid, *children(server.process.pid)]
    for pid in stopped:
        kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def gateway_in(folder: Path) -> Iterator[SshServer]:
    server = start_asyncssh(folder / "server")
    try:
        yield server
    finally:
        kill_all(server)
        end(server.process)
