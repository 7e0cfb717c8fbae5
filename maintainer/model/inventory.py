"""What the sysadmins keep: the site, its windows, groups and nodes, and what each task is allowed.

These classes say what may be written; `maintainer.inventory_file` reads the file and turns mistakes into sentences.
"""

import datetime as dt
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from maintainer.model.values import AbsolutePath, Duration, Name, Value
from maintainer.model.window import Window

Port = Annotated[int, Field(ge=1, le=65535)]
AeTitle = Annotated[str, StringConstraints(pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$", max_length=16)]
"""1 to 16 printable characters without backslash. Source: DICOM PS3.5, 6.2, VR AE."""
Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:.\-]+$", max_length=253)]
Word = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=63)]
Argv = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=1024)], ...], Field(min_length=1, strict=False)
]


class Role(StrEnum):
    """What a node is for; a task runs on the nodes that have its roles."""

    SERVICES = "services"
    DATABASE = "database"
    STORE = "store"
    DICOM = "dicom"
    CLEANUP = "cleanup"


class SecretFile(Value):
    """Where a secret lies: a file readable by the agent alone, its only line being the secret."""

    file: AbsolutePath


class SecretCredential(Value):
    """Where a secret lies: a systemd credential (`LoadCredential=`) of the agent's unit."""

    credential: Name


Secret = SecretFile | SecretCredential


class Blackout(Value):
    """Days, both included, on which no window opens."""

    first: dt.date = Field(alias="from")
    last: dt.date = Field(alias="to")
    why: str = Field(max_length=200)


class Site(Value):
    name: Name
    timezone: str = Field(description="IANA name, e.g. Europe/Paris; windows are local times of this zone")
    holidays: str | None = Field(
        None, description="country, e.g. FR, or country and region, e.g. DE-BY: no window opens then"
    )
    blackouts: tuple[Blackout, ...] = Field((), strict=False)


class LogIndex(Value):
    """A PostgreSQL database in which several controllers' logs may meet. Without it: SQLite beside the log."""

    host: Address | AbsolutePath
    port: Port = 5432
    name: Word
    user: Word
    password: Secret | None = None


class Log(Value):
    index: LogIndex | None = None


class Controller(Value):
    """The machine that `maintainer` runs on."""

    state: AbsolutePath = Field(description="folder of the intervention log and its keys; back it up")
    parallel: int = Field(8, ge=1, le=64, description="how many nodes are worked on at the same time")
    plan_expires_after: Duration = dt.timedelta(hours=12)
    log: Log = Log()


class Group(Value):
    """Nodes that stand in for each other: at most one of them is ever worked on."""

    members: tuple[Name, ...] = Field(min_length=2, strict=False)


class Ssh(Value):
    """How to reach the node, and by which key it proves to be itself."""

    user: Word
    port: Port = 22
    host_key: str | None = Field(None, description="the node's public key: `ssh-ed25519 AAAA…`")
    known_hosts: AbsolutePath | None = Field(
        None, description="instead of host_key: a known_hosts file that names the node"
    )
    key: Secret | None = Field(None, description="private key; without it, the keys that ssh-agent holds")
    sudo: bool = Field(default=False, description="run the node program under `sudo -n`")


ServiceProbe = Annotated[
    Literal["c-echo", "select-1"],
    Field(description="what tells that it serves: c-echo for an archive, select-1 for a database"),
]


class UnitService(Value):
    """A service that systemd keeps."""

    unit: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:_.@\-]+\.service$", max_length=255)]
    timeout: Duration = dt.timedelta(minutes=5)
    answers: ServiceProbe = "c-echo"


class CommandService(Value):
    """A service with commands of its own, as many PACS products ship them.

    `status` ends with 0 when the service runs and 3 when it does not. Source: LSB Core, "Init Script Actions".
    """

    start: Argv
    stop: Argv
    status: Argv
    pid_file: AbsolutePath
    timeout: Duration = dt.timedelta(minutes=5)
    answers: ServiceProbe = "c-echo"


Service = UnitService | CommandService


class Database(Value):
    """The PACS database as seen from the node; it is reached through the SSH connection."""

    name: Word
    user: Word
    password: Secret | None = None
    host: Address = "127.0.0.1"
    port: Port = 5432


class Store(Value):
    """The folder of DICOM objects. There is no verb in this product that writes to it."""

    archive: Literal["practice"] = Field(description="the product whose index lists the objects")
    path: AbsolutePath


class Dicom(Value):
    """How a modality would call the archive on this node."""

    port: Port = 104
    ae_title: AeTitle
    calling_ae_title: AeTitle = "MAINTAINER"
    timeout: Duration = dt.timedelta(seconds=10)


class CleanupRoot(Value):
    """A folder that may be cleaned: old files are moved to its quarantine, and deleted from there later."""

    path: AbsolutePath
    patterns: tuple[Annotated[str, StringConstraints(pattern=r"^[^/\x00]+$", max_length=255)], ...] = Field(
        min_length=1, strict=False
    )
    older_than: Duration
    age_by: Literal["ctime", "mtime"] = Field(
        "ctime", description="ctime cannot be set, so a file copied in with an old date is still new"
    )
    keep_quarantined: Duration = dt.timedelta(days=7)


class Node(Value):
    address: Address
    ssh: Ssh
    services: dict[Name, Service] = {}
    database: Database | None = None
    store: Store | None = None
    dicom: Dicom | None = None
    cleanup: dict[Name, CleanupRoot] = {}
    tasks: dict[Name, dict[str, Any]] = Field({}, description="settings of [tasks.NAME] that differ on this node")

    @cached_property
    def roles(self) -> frozenset[Role]:
        return frozenset(role for role in Role if getattr(self, role.value))


class Inventory(Value):
    site: Site
    controller: Controller
    windows: dict[Name, Window] = Field(min_length=1)
    groups: dict[Name, Group] = {}
    nodes: dict[Name, Node] = Field(min_length=1)
    tasks: dict[Name, dict[str, Any]] = Field(
        min_length=1, description="settings of each task; `maintainer schema` lists them"
    )

    def group_of(self, node: str) -> tuple[str, Group] | None:
        return next(((name, group) for name, group in self.groups.items() if node in group.members), None)

    def partners(self, node: str) -> tuple[str, ...]:
        found = self.group_of(node)
        return tuple(m for m in found[1].members if m != node) if found else ()
