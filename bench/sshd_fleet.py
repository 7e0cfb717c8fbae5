"""Many real sshd on this machine, each on a loopback address of its own, for the fleet benchmarks."""

import contextlib
import getpass
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

SSHD = "/usr/sbin/sshd"
PORT = 21022
# Not this user's own home: what its login shell starts would be measured with every command.
CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd-{address}.pid
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
MaxStartups {startups}
SetEnv HOME={folder}/home PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LogLevel ERROR
"""


class Hosts(NamedTuple):
    """Where they listen, and what it takes to log in to them as the current user."""

    folder: Path
    addresses: tuple[str, ...]
    user: str
    key: Path
    host_key: str
    spool: Path
    pid_file: Path
    """Of a process that stands for the archive on every host."""


@contextmanager
def hosts(count: int, one_for_all: str = "") -> Iterator[Hosts]:
    """Start `count` sshd; they are ended, by their own process ids, when the context is left.

    `one_for_all`: or only one, which answers on all addresses and takes so many callers that have not logged in yet.
    Source: sshd_config(5), MaxStartups.
    """
    Path("/run/sshd").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        folder = Path(name)
        for key in ("host_key", "client_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
        (folder / "authorized_keys").write_text((folder / "client_key.pub").read_text())
        addresses = tuple(f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count))
        for place in ("home", "spool"):
            (folder / place).mkdir()
        listening = ("0.0.0.0",) if one_for_all else addresses  # noqa: S104 (a network of our own, and keys only)
        started = [_start(folder, address, one_for_all or "100") for address in listening]
        started.append(subprocess.Popen(["sleep", "infinity"]))
        (folder / "pid").write_text(f"{started[-1].pid}\n")
        try:
            for address in addresses:
                _wait(address)
            host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
            places = (folder / "client_key", host_key, folder / "spool", folder / "pid")
            yield Hosts(folder, addresses, getpass.getuser(), *places)
        finally:
            for process in started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGTERM)
                process.wait()


def _start(folder: Path, address: str, startups: str) -> subprocess.Popen[bytes]:
    config = folder / f"sshd-{address}.conf"
    config.write_text(CONFIG.format(port=PORT, address=address, folder=folder, startups=startups))
    return subprocess.Popen([SSHD, "-D", "-f", str(config)])


def _wait(address: str) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection((address, PORT), 1):
            return
        time.sleep(0.02)
    raise SystemExit(f"no sshd on {address}")
