"""A disk of its own for a controller, whose power can be cut: what was not made durable is gone when it is on again.

It is mounted in a mount namespace of its own: each namespace that another test makes meanwhile would keep a copy of the
mount, and with it the filesystem that has lost its power.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.driver import Controller, environment

MEGABYTES = 64
PROGRAMS = ("mkfs.ext4", "losetup", "mount", "umount", "unshare", "nsenter", "sync")
# Source: Linux, fs/ext4/ext4.h, EXT4_IOC_SHUTDOWN and EXT4_GOING_FLAGS_NOLOGFLUSH.
CUT = (
    "import fcntl, os, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, (2).to_bytes(4, sys.byteorder))"
)
HOLD = "import sys; print(flush=True); sys.stdin.read()"


@dataclass(frozen=True)
class Powered(Controller):
    """A controller whose files are on such a disk."""

    namespace: int

    @property
    def journal(self) -> Path:
        return Path(f"/proc/{self.namespace}/root{self.state}") / "interventions.jsonl"

    def argv(self, *words: str) -> list[str]:
        return self.watched(words=words)

    def watched(self, *by: str, words: Sequence[str]) -> list[str]:
        """A command under whatever watches it."""
        return inside(self.namespace, *by, *super().argv(*words))


class Disk:
    """An ext4 filesystem on a loop device, mounted while its power is on; `namespace`: the process that keeps it."""

    def __init__(self, image: Path, mount_point: Path, namespace: int) -> None:
        self.mount_point, self.namespace = mount_point, namespace
        self._image = image
        self._device = ""

    def attach(self) -> None:
        with self._image.open("wb") as image:
            image.truncate(MEGABYTES * 1024 * 1024)
        run("mkfs.ext4", "-q", "-F", str(self._image))
        self._device = run("losetup", "--find", "--show", str(self._image)).strip()
        self.power_on()

    def controller(self, made: Controller) -> Powered:
        """Put a controller's inventory on the disk; its state will be there too."""
        there = self.mount_point / "inventory.toml"
        text = made.inventory.read_text("utf-8").replace(str(made.state), str(self.mount_point / "state"))
        self._run("tee", str(there), text=text)
        self._run("sync", "--file-system", str(self.mount_point))
        return Powered(there, self.mount_point / "state", self.namespace)

    def power_on(self) -> None:
        """Mount it; after a power cut that replays its journal."""
        self._run("mount", "-t", "ext4", self._device, str(self.mount_point))

    def cut_power(self) -> None:
        """From this moment on nothing reaches the disk, neither what is cached nor what is written now."""
        self._run(sys.executable, "-S", "-c", CUT, str(self.mount_point))

    def power_off(self) -> None:
        """Unmount it once whoever had files open there is gone; who was killed may take a moment to end."""
        until = time.monotonic() + 60
        while True:
            try:
                self._run("umount", str(self.mount_point))
            except subprocess.CalledProcessError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return

    def detach(self) -> None:
        if self._device:
            run("losetup", "--detach", self._device)

    def _run(self, *argv: str, text: str = "") -> str:
        return run(*inside(self.namespace, *argv), text=text)


def missing() -> str:
    """Say why there can be no such disk here; nothing when there can."""
    if os.geteuid() != 0:
        return "a filesystem whose power is cut takes root"
    lacking = [program for program in PROGRAMS if shutil.which(program, path=_environment()["PATH"]) is None]
    if lacking:
        return f"not here: {', '.join(lacking)}"
    free = subprocess.run(["losetup", "--find"], env=_environment(), capture_output=True, check=False)
    return "" if free.returncode == 0 else "there is no loop device"


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """Make one; it goes with the namespace, and the namespace with the process that keeps it."""
    (folder / "disk").mkdir()
    keeper = ["unshare", "--mount", sys.executable, "-S", "-c", HOLD]
    with subprocess.Popen(keeper, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        made = Disk(folder / "disk.img", folder / "disk", process.pid)
        try:
            made.attach()
            yield made
        finally:
            process.kill()
            process.wait()
            made.detach()


def inside(namespace: int, *argv: str) -> list[str]:
    return ["nsenter", f"--mount=/proc/{namespace}/ns/mnt", f"--wd={Path.cwd()}", *argv]


def run(*argv: str, text: str = "") -> str:
    done = subprocess.run(argv, env=_environment(), input=text, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


def _environment() -> dict[str, str]:
    """Where an administrator's programs are is not on everybody's path."""
    known = environment()
    return {**known, "PATH": f"{known.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
