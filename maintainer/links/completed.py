"""What a command on a node answered."""

from typing import NamedTuple


class Completed(NamedTuple):
    """Both outputs, complete, and the exit status."""

    stdout: bytes
    stderr: bytes
    status: int
