"""Where everything of a practice PACS lies, and whether a folder may be used for one."""

import json
import os
import re
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maintainer.errors import MaintainerError, UsageError

DEFAULT_FOLDER = Path("/tmp/maintainer-practice")  # noqa: S108 (created 0700 and refused when it is somebody else's)
ADDRESS = "127.0.0.1"
SSH_USER = "practice"
AE_TITLE = "PRACTICE"
DATABASE = "pacs"
FORMAT = "maintainer.practice/1"

# The path is written into a shell script and into TOML text, where other characters would need quoting.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+@=-]+")


@dataclass(frozen=True, kw_only=True)
class Ports:
    """TCP ports on loopback."""

    ssh: int = 42022
    database: int = 42432
    dicom: int = 42104


class Layout:
    """The files and folders of one practice PACS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.marker = folder / "practice.json"
        self.inventory = folder / "inventory.toml"
        self.known_hosts = folder / "known_hosts"
        self.host_key = folder / "host_key"
        self.client_key = folder / "client_key"
        self.authorized_keys = folder / "authorized_keys"
        self.database_password = folder / "database_password"
        self.archive_password = folder / "archive_password"
        self.superuser_password = folder / "superuser_password"
        self.archive_script = folder / "bin" / "archive"
        self.run = folder / "run"
        self.store = folder / "store"
        self.spool = folder / "spool"
        self.logs = folder / "logs"
        self.database = folder / "database"
        # The login's home, so that two practice nodes of one user are two nodes. Nobody but the agent writes there.
        self.home = folder / "home"

    def pid_file(self, service: str) -> Path:
        return self.run / f"{service}.pid"

    def log(self, service: str) -> Path:
        return self.logs / f"{service}.log"

    def is_complete(self) -> bool:
        """Tell whether `up` once got to its end here."""
        return bool(self.read_marker().get("complete"))

    def ports(self) -> Ports | None:
        """Tell which ports this PACS was made with; None when there is none here."""
        recorded = self.read_marker().get("ports")
        return Ports(**recorded) if recorded else None

    def read_marker(self) -> dict[str, Any]:
        try:
            marker = json.loads(self.marker.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
            return {}  # a file that was cut off by a crash counts as none: the folder is made anew
        return marker if isinstance(marker, dict) else {}

    def write_marker(self, ports: Ports, *, complete: bool) -> None:
        text = json.dumps({"format": FORMAT, "ports": asdict(ports), "complete": complete})
        self.marker.write_text(text + "\n", "utf-8")


def usable(folder: Path) -> Path:
    """Make a folder's path absolute and make sure that it may hold a practice PACS, if it is there at all.

    Raises:
        UsageError: it is somebody else's, not a folder, full of other things, or its path has odd characters.
    """
    path = Path(os.path.abspath(folder))  # noqa: PTH100 (resolve() would follow a link that must be refused)
    path = path.parent.resolve() / path.name
    if not _PLAIN_PATH.fullmatch(str(path)):
        raise UsageError(
            "the path of a practice PACS may have letters, digits and / . _ + @ = - only",
            where=str(path),
            hint="choose another one with --folder",
        )
    if os.path.lexists(path):
        _check_existing(path)
    return path


def _check_existing(path: Path) -> None:
    found = path.lstat()
    other = "choose another one with --folder"
    if not stat.S_ISDIR(found.st_mode):
        raise UsageError("it is not a folder", where=str(path), hint=other)
    if found.st_uid != os.geteuid():
        raise UsageError(
            f"the folder belongs to user id {found.st_uid}, not to you ({os.geteuid()})",
            where=str(path),
            hint=f"let its owner end it (maintainer practice down --wipe), or {other} and the ports with --ssh-port, …",
        )
    layout = Layout(path)
    if not os.path.lexists(layout.marker) and any(path.iterdir()):
        raise UsageError("the folder holds things that are not of a practice PACS", where=str(path), hint=other)


def recorded_ports(layout: Layout) -> Ports:
    """Tell the ports of a PACS that must be there.

    Raises:
        MaintainerError: there is none in this folder.
    """
    ports = layout.ports()
    if ports is None:
        raise MaintainerError(
            "there is no practice PACS here", where=str(layout.folder), hint="make one: maintainer practice up"
        )
    return ports
