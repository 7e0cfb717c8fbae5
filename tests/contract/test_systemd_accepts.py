"""What systemd itself says about the units, the timer's lines and the locked room."""

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maintainer.model.inventory import Inventory
from maintainer.planning.calendar import occurrences
from maintainer.planning.timetable import timer_lines

SYSTEMD = Path(__file__).parents[2] / "systemd"
EXPOSURE = 1.5
"""The most that `systemd-analyze security` may say, from 0 to 10. Measured on systemd 252: 1.1."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian package systemd)"
)


def analyze(*arguments: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_systemd
def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    """Every setting is known and well formed. The program's path is replaced: it is not installed here."""
    for unit in ("maintainer-run.service", "maintainer-run.timer"):
        text = (SYSTEMD / unit).read_text("utf-8")
        (tmp_path / unit).write_text(text.replace("/opt/maintainer/bin/maintainer", sys.executable), "utf-8")
    paths = [str(tmp_path / unit) for unit in ("maintainer-run.service", "maintainer-run.timer")]
    said = analyze("verify", "--man=no", *paths)
    assert "maintainer-run" not in said


@needs_systemd
def test_the_service_is_hardly_exposed() -> None:
    """The exposure score of the unit as shipped stays under what was measured when it was written."""
    said = analyze("security", "--offline=true", str(SYSTEMD / "maintainer-run.service"))
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert score is not None
    assert float(score[1]) <= EXPOSURE


@needs_systemd
@pytest.mark.parametrize("timezone", ["Europe/Paris", "Australia/Lord_Howe", "UTC"])
def test_the_timer_fires_exactly_when_windows_open(timezone: str) -> None:
    """Over a year with both changes of the clocks, systemd's own reading of the lines is our calendar."""
    inventory = Inventory.model_validate(
        {
            "site": {"name": "demo", "timezone": timezone},
            "controller": {"state": "/var/lib/maintainer"},
            "windows": {
                "nightly": {"opens": "22:00", "closes": "05:00"},
                "early": {"opens": "02:15", "closes": "06:00", "days": ["sat", "sun"]},
            },
            "nodes": {"pacs-a": {"address": "192.0.2.1", "ssh": {"user": "maintainer"}}},
            "tasks": {"db-vacuum": {"window": "nightly"}},
        }
    )
    since = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
    until = since + dt.timedelta(days=365)
    fires = {at for line in timer_lines(inventory, since) for at in _elapses(line, since) if at < until}
    windows = inventory.windows.items()
    opens = {o.opens for name, window in windows for o in occurrences(name, window, inventory.site, since, until)}
    assert fires == {at for at in opens if at > since}


def _elapses(line: str, since: dt.datetime) -> list[dt.datetime]:
    expression = line.removeprefix("OnCalendar=")
    said = analyze("calendar", "--iterations=400", f"--base-time={since:%Y-%m-%d %H:%M:%S} UTC", expression)
    found = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC", said)
    return [dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC) for moment in found]


LOCKED_ROOM = """
import ctypes, importlib, mmap, sys, warnings

warnings.simplefilter("ignore")
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
    sys.exit(77)
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    sys.exit("memory that is writable and executable was given")
except PermissionError:
    pass
for name in ("paramiko", "psycopg", "pydicom", "pynetdicom", "sqlalchemy", "tree_sitter_toml", "pydantic", "structlog"):
    importlib.import_module(name)

import socket, threading
import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

key = Ed25519PrivateKey.generate()
key.public_key().verify(key.sign(b"checkpoint"), b"checkpoint")


class Anybody(paramiko.ServerInterface):
    def check_auth_none(self, username):
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username):
        return "none"


ours, theirs = socket.socketpair()
server = paramiko.Transport(theirs)
server.add_server_key(paramiko.ECDSAKey.generate())
server.start_server(event=threading.Event(), server=Anybody())
client = paramiko.Transport(ours)
client.start_client(timeout=20)
client.auth_none("anybody")
assert client.is_authenticated()
client.close()
server.close()
"""


def test_the_libraries_work_where_no_memory_is_both_writable_and_executable() -> None:
    """MemoryDenyWriteExecute= breaks programs that make code as they run; SSH, signatures and drivers do not."""
    done = subprocess.run([sys.executable, "-c", LOCKED_ROOM], check=False, capture_output=True, text=True, timeout=60)
    if done.returncode == 77:
        pytest.skip("this kernel has no PR_SET_MDWE (Linux 6.3)")
    assert done.returncode == 0, done.stderr
