"""The hardware of a node: a disk, a network connection, and a switch. What runs on it: `tests.lab.node`.

Its power can be cut, and it comes back when it reboots itself. What else can happen to it from outside:
`tests.lab.interference`.
"""

import contextlib
import subprocess
import threading
import time
import uuid
from pathlib import Path

from tests.lab.enclosure import BRIDGE, Room, only_child
from tests.lab.image import LabError, environment
from tests.lab.leftovers import CGROUP_TOPS, await_end, kill_all_in

REBOOTS = 133
"""How systemd-nspawn ends when the machine in it wants to boot again."""
_OFF_WITHIN = 30  # seconds from pulling the plug to the end of every process; at once on an idle machine

_ALL_OF_IT = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
_JOIN_CGROUPS = 'while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs"; shift; done; shift; exec "$@"'


class Machine:
    """A machine of the lab. `folder` holds its disk (the difference from the image) and its console's output."""

    def __init__(self, name: str, address: str, room: Room, folder: Path, cgroup: str) -> None:
        self.name, self.address, self.folder = name, address, folder
        self.root = folder / "root"
        self.room = room
        self.cgroups = [top / cgroup for top in CGROUP_TOPS]
        self._unplugged = threading.Event()
        self._power: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def build(self, image: Path) -> None:
        """Give the machine its disk, network and names. Changes nothing of the image."""
        disk = self.folder / "disk"
        for each in (disk, self.root):
            each.mkdir(parents=True)
        for cgroup in self.cgroups:
            cgroup.mkdir()
        # In memory: nothing waits for this machine's disk, which may be an overlay itself and then takes no other.
        self.room.do("mount", "-t", "tmpfs", "-o", "size=2g,mode=755", self.name, str(disk))
        self.room.do("mkdir", f"{disk}/changed", f"{disk}/work")
        options = f"lowerdir={image},upperdir={disk}/changed,workdir={disk}/work,xino=on"
        self.room.do("mount", "-t", "overlay", "overlay", "-o", options, str(self.root))
        self.connect()
        self.write("/etc/hostname", self.name)
        self.write("/etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.name}")
        self.write("/etc/machine-id", uuid.uuid4().hex)

    def write(self, path: str, text: str, mode: int = 0o644, owner: str = "root") -> None:
        """Put a file on the machine's disk, running or not, and the folders above it that are missing."""
        place = f"{self.root}{path}"
        script = 'umask 077; mkdir -p "${1%/*}"; cat >"$1"; chmod "$2" "$1"; chroot "$3" chown "$4" "$5"'
        argv = self.room.inside(["sh", "-ec", script, "write", place, f"{mode:o}", str(self.root), owner, path])
        subprocess.run(argv, input=f"{text}\n".encode(), check=True, env=environment())

    def erase(self, *paths: str) -> None:
        """Take files and folders from the machine's disk, if they are there."""
        self.room.do("rm", "-rf", *(f"{self.root}{path}" for path in paths))

    def connect(self) -> None:
        """Plug in a network card that nobody has used."""
        self.room.do("ip", "netns", "add", self.name)
        self.room.do("ip", "link", "add", self.name, "type", "veth", "peer", "name", "host0", "netns", self.name)
        self.room.do("ip", "link", "set", self.name, "master", BRIDGE, "up")
        self.on_its_network("ip", "link", "set", "lo", "up")
        self.on_its_network("ip", "addr", "add", f"{self.address}/24", "dev", "host0")
        self.on_its_network("ip", "link", "set", "host0", "up")

    def disconnect(self) -> None:
        """Take the network card out, with every rule that holds for it. For a machine that is off."""
        self.room.do("ip", "link", "del", self.name)
        self.room.do("ip", "netns", "del", self.name)

    def on_its_network(self, *argv: str) -> str:
        """Run a program of the machine that the lab runs on, which this one may lack, on this one's network."""
        return self.room.do("ip", "netns", "exec", self.name, *argv)

    def is_on(self) -> bool:
        """Tell whether it has power; between the two boots of a reboot, too."""
        return self._power is not None and self._power.is_alive()

    def power_on(self) -> None:
        """Press the button; `wait_until_it_serves` waits for what follows."""
        if self.is_on():
            raise LabError(f"{self.name} is on already")
        self._unplugged.clear()
        self._process = self._boot()
        self._power = threading.Thread(target=self._keep_on, args=(self._process,), name=self.name, daemon=True)
        self._power.start()

    def power_off(self) -> None:
        """Pull the plug: no process sees another one die, nothing is written back, and nobody is told.

        Comes back when nothing of that boot is left that the next one could meet.

        Raises:
            LabError: something lives on.
        """
        self._unplugged.set()
        until = time.monotonic() + _OFF_WITHIN
        while self._power is not None and self._power.is_alive():
            kill_all_in(self.cgroups)  # again, if it was just about to boot
            self._power.join(0.1)
            if time.monotonic() > until:
                raise LabError(f"{self.name} stays on without power")
        for cgroup in self.cgroups:
            await_end(cgroup)
        for freezer in self.freezers():
            freezer.write_text("0")

    def freezers(self) -> list[Path]:
        """List the switches, at most one, that make the whole machine hang while there is a 1 in them."""
        return [freezer for cgroup in self.cgroups if (freezer := cgroup / "cgroup.freeze").exists()]

    def leader(self) -> int:
        """Give the number, on this machine, of the node's first process.

        Raises:
            LabError: it is off, or only just booting.
        """
        try:
            pid = only_child(self._nspawn(), within=0)
        except LabError:
            raise LabError(f"{self.name} is off") from None
        if Path(f"/proc/{pid}/comm").read_text() != "systemd\n":
            raise LabError(f"{self.name} is only just booting")
        return pid

    def argv(self, *argv: str) -> list[str]:
        """Give the command that runs `argv` on the machine."""
        clean = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TERM=linux")
        return ["nsenter", f"--target={self.leader()}", *_ALL_OF_IT, "--", *clean, *argv]

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
        while process.wait() == REBOOTS and not self._unplugged.is_set():
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
