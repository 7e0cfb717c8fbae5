"""One PACS node that boots for real: systemd, sshd, PostgreSQL and Orthanc, with an address of its own.

Its power can be cut, and it comes back when it reboots itself. What else can happen to it: `tests.lab.interference`
(its network, a machine that hangs) and `tests.lab.breakages` (what it holds).
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path

from tests.lab.enclosure import BRIDGE, Room, only_child
from tests.lab.image import LabError, environment
from tests.lab.leftovers import CGROUP_TOPS

REBOOTS = 133
"""How systemd-nspawn ends when the machine in it wants to boot again."""
DICOM_PORT, AE_TITLE = 4242, "ORTHANC"
SERVES_WITHIN = 90  # seconds from power to images; 4 on an idle machine

_ALL_OF_IT = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
_JOIN_CGROUPS = 'while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs"; shift; done; shift; exec "$@"'


class LabNode:
    """A machine of the lab. `folder` holds its disk (the difference from the image) and its console's output."""

    def __init__(self, name: str, address: str, room: Room, folder: Path, cgroup: str) -> None:
        self.name, self.address, self.folder = name, address, folder
        self.root = folder / "root"
        self.room = room
        self.cgroups = [top / cgroup for top in CGROUP_TOPS]
        self._power: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def build(self, image: Path) -> None:
        """Give the machine its disk, network and names. Changes nothing of the image."""
        for part in ("disk", "work", "root"):
            (self.folder / part).mkdir(parents=True)
        for cgroup in self.cgroups:
            cgroup.mkdir()
        options = f"lowerdir={image},upperdir={self.folder / 'disk'},workdir={self.folder / 'work'}"
        self.room.do("mount", "-t", "overlay", "overlay", "-o", options, str(self.root))
        self.room.do("ip", "netns", "add", self.name)
        self.room.do("ip", "link", "add", self.name, "type", "veth", "peer", "name", "host0", "netns", self.name)
        self.room.do("ip", "link", "set", self.name, "master", BRIDGE, "up")
        self.room.do("ip", "-n", self.name, "link", "set", "lo", "up")
        self.room.do("ip", "-n", self.name, "addr", "add", f"{self.address}/24", "dev", "host0")
        self.room.do("ip", "-n", self.name, "link", "set", "host0", "up")
        self.write("/etc/hostname", self.name)
        self.write("/etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.name}")
        self.write("/etc/machine-id", uuid.uuid4().hex)

    def write(self, path: str, text: str, mode: int = 0o644, owner: str = "root") -> None:
        """Put a file on the machine's disk, running or not, and the folders above it that are missing."""
        place = f"{self.root}{path}"
        script = 'umask 077; mkdir -p "${1%/*}"; cat >"$1"; chmod "$2" "$1"; chroot "$3" chown "$4" "$5"'
        argv = self.room.inside(["sh", "-ec", script, "write", place, f"{mode:o}", str(self.root), owner, path])
        subprocess.run(argv, input=f"{text}\n".encode(), check=True, env=environment())

    def power_on(self) -> None:
        """Press the button; `wait_until_it_serves` waits for what follows."""
        if self._power is not None and self._power.is_alive():
            raise LabError(f"{self.name} is on already")
        self._process = self._boot()
        self._power = threading.Thread(target=self._keep_on, args=(self._process,), name=self.name, daemon=True)
        self._power.start()

    def power_off(self) -> None:
        """Pull the plug: nothing is written back and nobody is told."""
        if self._process is not None and self._process.poll() is None:
            # With the first process of a machine all others end; systemd-nspawn alone would leave them running.
            os.kill(only_child(self._nspawn()), signal.SIGKILL)
        if self._power is not None:
            self._power.join()

    def wait_until_it_serves(self) -> None:
        """Wait until the machine has booted with nothing failed and its archive answers a C-ECHO.

        Raises:
            LabError: it has not after `SERVES_WITHIN` seconds.
        """
        until = time.monotonic() + SERVES_WITHIN
        state = "off"
        while time.monotonic() < until:
            state = self._state()
            if state == "degraded":
                raise LabError(f"{self.name} booted with failed units:\n{self.run('systemctl', '--failed').stdout}")
            if state == "running" and self.answers_echo():
                return
            time.sleep(0.1)
        console = (self.folder / "console.log").read_text("utf-8", "replace")[-2000:]
        raise LabError(f"{self.name} does not serve after {SERVES_WITHIN} s: systemd says {state}\n{console}")

    def reboot(self) -> None:
        """Reboot as `systemctl reboot` does, and wait until it serves again."""
        before = self.boot_id()
        self.run("systemctl", "reboot")
        until = time.monotonic() + SERVES_WITHIN
        while time.monotonic() < until and self.boot_id() in {before, ""}:
            time.sleep(0.1)
        self.wait_until_it_serves()

    def boot_id(self) -> str:
        """Name this boot; nothing while the machine is off or between two boots."""
        done = self._try("cat", "/proc/sys/kernel/random/boot_id")
        return done.stdout.strip() if done else ""

    def answers_echo(self) -> bool:
        """Tell whether the archive answers a C-ECHO now."""
        argv = ["echoscu", "-to", "2", "-ta", "2", "-td", "2", "-aec", AE_TITLE, self.address, str(DICOM_PORT)]
        done = subprocess.run(
            self.room.on_its_network(argv), capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        return done.returncode == 0

    def _state(self) -> str:
        done = self._try("systemctl", "is-system-running")
        return done.stdout.strip() if done else "off"

    def _boot(self) -> "subprocess.Popen[bytes]":
        nspawn = ["systemd-nspawn", "-q", f"--directory={self.root}", f"--machine={self.name}", "--register=no"]
        nspawn += ["--keep-unit", f"--network-namespace-path=/run/netns/{self.name}", "--console=pipe", "--boot"]
        nspawn += ["--resolv-conf=off", "--timezone=off", "--link-journal=no"]
        groups = [str(cgroup) for cgroup in self.cgroups]
        argv = self.room.inside(["sh", "-ec", _JOIN_CGROUPS, "boot", *groups, "--", *nspawn])
        with (self.folder / "console.log").open("ab") as console:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=environment(),
                start_new_session=True,
            )

    def _keep_on(self, process: "subprocess.Popen[bytes]") -> None:
        while process.wait() == REBOOTS:
            self._process = process = self._boot()

    def _nspawn(self) -> int:
        """Find the process that is the machine's hardware; another process than ours may have started it."""
        if self._process is not None:
            return only_child(self._process.pid, within=0)
        ours = f"\0--directory={self.root}\0".encode()
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if (line := each.read_bytes()).startswith(b"systemd-nspawn\0") and ours in line:
                    return int(each.parent.name)
        raise LabError(f"{self.name} is off")

    def run(
        self, *argv: str, user: str = "root", stdin: str = "", check: bool = True, timeout: float = 60
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command on the machine, as somebody at its console would.

        Raises:
            LabError: the machine is off, or the command failed and `check` is set.
        """
        done = subprocess.run(
            self.argv(*argv) if user == "root" else self.argv("runuser", "-u", user, "--", *argv),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def argv(self, *argv: str) -> list[str]:
        """Give the command that runs `argv` on the machine."""
        clean = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TERM=linux")
        return ["nsenter", f"--target={self.leader()}", *_ALL_OF_IT, "--", *clean, *argv]

    def sql(self, text: str, *, database: str = "orthanc", **values: str) -> str:
        """Run SQL as the superuser, each statement by itself; answers rows as lines, columns divided by tabs.

        A value stands in the text as `:'name'`.
        """
        argv = ["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", database]
        argv += [f"--set={name}={value}" for name, value in values.items()]
        return self.run(*argv, user="postgres", stdin=text).stdout

    def store_manifest(self) -> str:
        """Give the SHA-256 and the path of every file in the store."""
        script = "cd /var/lib/orthanc/db-v6 && find . -type f -print0 | sort -z | xargs -0 sha256sum"
        return self.run("sh", "-c", script).stdout

    def leader(self) -> int:
        """Give the number, on this machine, of the node's first process.

        Raises:
            LabError: it is off, or only just booting.
        """
        pid = only_child(self._nspawn(), within=0)
        if Path(f"/proc/{pid}/comm").read_text() != "systemd\n":
            raise LabError(f"{self.name} is only just booting")
        return pid

    def _try(self, *argv: str) -> "subprocess.CompletedProcess[str] | None":
        with contextlib.suppress(LabError, OSError):
            return self.run(*argv, check=False)
        return None
