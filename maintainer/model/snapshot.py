"""What a node was like at one moment, as far as a person's work may change it."""

import datetime as dt

from maintainer.model.task import Seen


class ServiceThen(Seen):
    state: str
    pid: int | None = None


class FileThen(Seen):
    """A watched file; without a digest, `problem` says why."""

    sha256: str | None = None
    problem: str = ""


class Snapshot(Seen):
    """`packages` is None where dpkg does not tell, `postgresql` where no database answered.

    `more`: the node did not list everything.
    """

    taken_at: dt.datetime
    kernel: str
    boot_id: str | None = None
    postgresql: str | None = None
    packages: dict[str, str] | None = None
    services: dict[str, ServiceThen] = {}
    files: dict[str, FileThen] = {}
    free_bytes: dict[str, int] = {}
    more: bool = False
