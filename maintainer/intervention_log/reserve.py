"""Room set aside so that a run on a full disk can still write down that it stops."""

import os
from pathlib import Path

from maintainer.errors import LogError
from maintainer.intervention_log.durable_file import NO_ROOM, PRIVATE_FILE, explained, sync_folder

RESERVE_BYTES = 1_000_000


class Reserve:
    """A preallocated file beside the log. Released, it is gone until somebody takes it again."""

    def __init__(self, path: Path) -> None:
        self._path, self._name = path, str(path)

    @property
    def held(self) -> bool:
        try:
            return os.stat(self._name).st_blocks * 512 >= RESERVE_BYTES  # noqa: PTH116 (asked for each intent)
        except OSError:
            return False

    def take(self) -> None:
        """Allocate the reserve, unless it is there.

        Raises:
            LogError: there is no room for it, so nothing may be started.
        """
        if self.held:
            return
        with explained(self._path, "reserve room for the log"):
            try:
                self._allocate()
            except OSError as error:
                self._path.unlink(missing_ok=True)
                if error.errno not in NO_ROOM:
                    raise
                raise self._no_room() from error

    def release(self) -> bool:
        """Give the room back to the filesystem; tell whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def _allocate(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(self._path.parent)

    def _no_room(self) -> LogError:
        return LogError(
            "no room for the intervention log: nothing was done",
            where=str(self._path.parent),
            hint=f"make at least {2 * RESERVE_BYTES // 10**6} MB of room on this filesystem, then start again",
        )
