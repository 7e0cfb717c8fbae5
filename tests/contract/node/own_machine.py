"""A machine of one's own to prepare: this one, seen through a mount namespace in which no change outlives the test.

/etc, /home, /usr/bin, /usr/local, /var/lib and /var/log are overlays whose upper layers lie on a tmpfs, /run is empty,
and /dev/log is the test's own socket.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.contract.links import servers

NEEDED = ("unshare", "nsenter", "sudo", "visudo", "useradd", "runuser", "setsid", "sh")
MISSING = [name for name in NEEDED if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]
needs_a_machine = pytest.mark.skipif(
    not os.environ.get("CI") and (os.geteuid() != 0 or bool(MISSING) or not servers.SSHD.exists()),
    reason=f"preparing a machine needs root, sshd and {', '.join(MISSING) or 'nothing else'}",
)

_ENTER = r"""
set -eu
mount -t tmpfs -o mode=755 none "$1"
for top in etc home usr/bin usr/local var/lib var/log; do
    mkdir -p "$1/$top.upper" "$1/$top.work"
    mount -t overlay overlay -o "lowerdir=/$top,upperdir=$1/$top.upper,workdir=$1/$top.work" "/$top"
done
mkdir "$1/dev"
mount -t tmpfs -o mode=755 none "$1/dev"
for device in null zero full random urandom tty; do
    : >"$1/dev/$device"
    mount --bind "/dev/$device" "$1/dev/$device"
done
mkdir "$1/dev/shm" "$1/dev/pts"
ln -s /proc/self/fd "$1/dev/fd"
ln -s "$2" "$1/dev/log"
mount --move "$1/dev" /dev
mount -t tmpfs -o mode=755 none /run
mkdir /run/sshd
# userdel refuses while a process has the account's number, and machines of other tests have accounts of their own.
sed -i '/SYS_UID_M/d' /etc/login.defs
first=$(($$ % 30000 * 10 + 100000))
printf 'SYS_UID_MIN %d\nSYS_UID_MAX %d\n' "$first" "$((first + 9))" >>/etc/login.defs
echo ready
exec sleep infinity
"""


@dataclass
class OwnMachine:
    """One that runs. What is written below /tmp is seen from both sides."""

    folder: Path
    log: socket.socket
    holder: "subprocess.Popen[str]"
    sshd: "subprocess.Popen[bytes] | None" = None
    host_key: str = ""
    port: int = 0
    said: list[str] = field(default_factory=list)

    def run(self, *argv: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command there as root, without a terminal."""
        entered = ["nsenter", "-m", "-t", str(self.holder.pid), "--", *argv]
        return subprocess.run(
            entered, input=stdin, text=True, capture_output=True, timeout=60, check=False, start_new_session=True
        )

    def start_sshd(self) -> None:
        """Start sshd with its own defaults, but for the port and no PAM."""
        self.host_key, self.port = servers.write_key(self.folder / "host"), servers.free_port()
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nPidFile none\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
        )
        entered = ["nsenter", "-m", "-t", str(self.holder.pid), "--", str(servers.SSHD), "-D", "-e", "-f", str(config)]
        with (self.folder / "sshd.log").open("wb") as log:
            self.sshd = subprocess.Popen(entered, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True)
        servers.wait_for(lambda: servers.accepts(self.port))

    def listen(self) -> None:
        """Take what is logged, as a log daemon would: senders wait when nobody does."""
        with contextlib.suppress(OSError):
            while line := self.log.recv(65536):
                self.said.append(line.decode())


def start(folder: Path) -> OwnMachine:
    scratch, place = folder / "scratch", folder / "log"
    scratch.mkdir()
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind(str(place))
    place.chmod(0o666)
    # The program runs as another user too, who must reach the log's socket.
    for above in (folder, *folder.parents[:2]):
        above.chmod(above.stat().st_mode | 0o011)
    argv = ["unshare", "-m", "--propagation", "private", "/bin/sh", "-c", _ENTER, "enter", str(scratch), str(place)]
    holder = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n", holder.stdout.read()
    machine = OwnMachine(folder, log, holder)
    threading.Thread(target=machine.listen, daemon=True).start()
    return machine


def stop(machine: OwnMachine) -> None:
    if machine.sshd:
        for pid in (*servers.children(machine.sshd.pid), machine.sshd.pid):
            servers.kill(pid)
        servers.end(machine.sshd)
    machine.holder.send_signal(signal.SIGKILL)
    machine.holder.wait(10)
    assert machine.holder.stdout is not None
    machine.holder.stdout.close()
    machine.log.shutdown(socket.SHUT_RDWR)
    machine.log.close()
