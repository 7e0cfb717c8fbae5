"""One PACS node that boots for real: systemd, sshd, PostgreSQL and Orthanc, with an address of its own.

What can be broken on it: `tests.lab.breakages`. Its power and its disk: `tests.lab.machine`.
"""

import contextlib
import subprocess
import time

from tests.lab.image import LabError, NoLabError
from tests.lab.machine import Machine

DICOM_PORT, AE_TITLE = 4242, "ORTHANC"
SERVES_WITHIN = 180  # seconds from power to images; 4 on an idle machine
_ANSWERS_WITHIN = 20  # seconds; a machine that hangs never does


class LabNode(Machine):
    """A machine with an archive. What `run` and `sql` do is done as by somebody at its console."""

    def wait_until_it_serves(self) -> None:
        """Wait until the machine has booted with nothing failed and its archive answers a C-ECHO.

        Raises:
            NoLabError: it ended instead: this machine does not let it boot.
            LabError: it does not serve after `SERVES_WITHIN` seconds, or with a failed unit.
        """
        until = time.monotonic() + SERVES_WITHIN
        state = "off"
        while time.monotonic() < until:
            if not self.is_on():
                raise NoLabError(f"{self.name} went off by itself:\n{self._console()}")
            state = self._state()
            if state == "degraded":
                raise LabError(f"{self.name} booted with failed units:\n{self.run('systemctl', '--failed').stdout}")
            if state == "running" and self.answers_echo():
                return
            time.sleep(0.1)
        raise LabError(f"{self.name} does not serve after {SERVES_WITHIN} s: systemd says {state}\n{self._console()}")

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

    def _console(self) -> str:
        return (self.folder / "console.log").read_text("utf-8", "replace")[-2000:]

    def _state(self) -> str:
        done = self._try("systemctl", "is-system-running")
        return done.stdout.strip() if done else "off"

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

    def _try(self, *argv: str) -> "subprocess.CompletedProcess[str] | None":
        with contextlib.suppress(LabError, OSError, subprocess.TimeoutExpired):
            return self.run(*argv, check=False, timeout=_ANSWERS_WITHIN)
        return None
