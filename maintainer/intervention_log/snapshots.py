"""Snapshots of nodes, beside the log: too large for a record, which holds their digest instead."""

import hashlib
from pathlib import Path

from maintainer.errors import LogError
from maintainer.intervention_log.durable_file import PRIVATE_FOLDER, explained, replace, sync_folder

FOLDER = "snapshots"


class Snapshots:
    """Files that are named by the SHA-256 of what they hold, readable by the agent's user alone."""

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER

    def keep(self, text: str) -> str:
        """Store a snapshot and answer its digest.

        Raises:
            LogError: it cannot be stored.
        """
        data = text.encode()
        digest = hashlib.sha256(data).hexdigest()
        with explained(self._folder, "make the folder of snapshots"):
            self._folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
            sync_folder(self._folder.parent)
        replace(self._folder / f"{digest}.json", data)
        return digest

    def fetch(self, digest: str) -> str:
        """Read a snapshot back.

        Raises:
            LogError: it is not there, or not what was stored.
        """
        path = self._folder / f"{digest}.json"
        with explained(path, "read a snapshot"):
            data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise LogError(
                "this snapshot is not what was stored",
                where=str(path),
                hint="find out who changed it; the log itself is not concerned",
            )
        return data.decode()
