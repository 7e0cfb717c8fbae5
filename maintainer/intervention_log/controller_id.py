"""What tells this controller from every other one, to the nodes that it works on."""

import secrets
from pathlib import Path

from maintainer.intervention_log.durable_file import make_folder, read_or_create

FILE = "controller.id"
BYTES = 8


def controller_id(state: Path) -> str:
    """Read it, or make it once. A copy of the state folder is the same controller, so it must not be in use twice.

    Raises:
        LogError: the state folder cannot be read or written.
    """
    make_folder(state)
    return read_or_create(state / FILE, _new).decode("ascii").strip()


def _new() -> bytes:
    return f"{secrets.token_hex(BYTES)}\n".encode()
