"""Start, stop and show the SSH server or the archive of a practice PACS; `bin/archive` runs this.

`python -m maintainer.practice.service FOLDER archive|sshd start|stop|status`

Ends with 0 when it was done or the service runs, 3 when the service does not run, 1 when it could not be done.
Source: LSB Core, "Init Script Actions".
"""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from maintainer.errors import MaintainerError
from maintainer.practice.layout import ADDRESS, Layout, recorded_ports
from maintainer.practice.processes import Process, find, is_free

STARTS_WITHIN = 30.0  # seconds; two busy cores load the DICOM libraries in about two
STOPS_WITHIN = 10.0  # seconds, then it is ended by force


class Service:
    """One server program of the practice PACS, running apart from whoever started it."""

    def __init__(self, layout: Layout, name: str) -> None:
        self.layout = layout
        self.name = name
        self.module = f"maintainer.practice.{name}"
        self.pid_file = layout.pid_file(name)
        self.log = layout.log(name)

    @property
    def port(self) -> int:
        ports = recorded_ports(self.layout)
        return ports.dicom if self.name == "archive" else ports.ssh

    def process(self) -> Process | None:
        return find(self.pid_file, self.module, str(self.layout.folder))

    def start(self) -> None:
        """Start it unless it runs, and wait until it accepts connections.

        Raises:
            MaintainerError: its port is taken, or it ended or stayed silent.
        """
        with self._alone():
            if self.process():
                return
            self.pid_file.unlink(missing_ok=True)
            check_port(self.port, self.name)
            self._wait_until_up(self._launch())

    def stop(self) -> None:
        """Stop it, by force after ten seconds: a hung archive does not hear SIGTERM."""
        with self._alone():
            process = self.process()
            if process:
                process.end(patience=STOPS_WITHIN)
            self.pid_file.unlink(missing_ok=True)

    def _launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 (our own module)
                [sys.executable, "-P", "-m", self.module, str(self.layout.folder)],
                cwd=self.layout.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
            )

    def _wait_until_up(self, child: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + STARTS_WITHIN
        while child.poll() is None:
            if self.process():  # the pid file is written once it accepts connections
                return
            if time.monotonic() > until:
                child.kill()
                raise MaintainerError(
                    f"{self.name} did not answer within {STARTS_WITHIN:.0f} s",
                    where=str(self.log),
                    hint="read this log",
                )
            time.sleep(0.02)
        raise MaintainerError(f"{self.name} ended at once: {last_line(self.log)}", where=str(self.log))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep a second start or stop waiting until this one is done."""
        lock = os.open(self.pid_file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def check_port(port: int, service: str) -> None:
    """Make sure that a server could listen there.

    Raises:
        MaintainerError: another program does.
    """
    if not is_free(ADDRESS, port):
        raise MaintainerError(
            f"port {port}, where {service} should listen, is taken by another program",
            where=f"{ADDRESS}:{port}",
            hint="end that program, or choose other ports: maintainer practice up --help",
        )


def last_line(log: Path) -> str:
    """Quote the last words of a server that ended."""
    lines = log.read_text("utf-8", "replace").splitlines()[-1:] if log.exists() else []
    return lines[0] if lines else "it left no word in its log"


def main(folder: str, name: str, verb: str) -> int:
    service = Service(Layout(Path(folder)), name)
    if verb == "status":
        return 0 if service.process() else 3
    try:
        {"start": service.start, "stop": service.stop}[verb]()
    except MaintainerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    _, *words = sys.argv
    if len(words) != 3 or words[1] not in {"archive", "sshd"} or words[2] not in {"start", "stop", "status"}:  # noqa: PLR2004 (FOLDER NAME VERB)
        sys.stderr.write("usage: start|stop|status\n")
        sys.exit(2)
    sys.exit(main(*words))
