"""What the sysadmins keep: the site, its windows, groups and nodes, and what each task is allowed.

These classes say what may be written; `maintainer.inventory_file` reads the file and turns mistakes into sentences.
"""

import datetime as dt
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag

from maintainer.model.addresses import Address, AddressOrSocketFolder, AeTitle, PixelDigest, Port, Uid
from maintainer.model.service import Service
from maintainer.model.values import AbsolutePath, Called, Duration, Name, TimeLimit, Value, normal_path
from maintainer.model.window import Window

Word = Annotated[
    str,
    StringConstraints(pattern=r"^[!-~]+$", max_length=63),
    Called("one word", "it is text without spaces, 63 long at most"),
]


class Role(StrEnum):
    """What a node is for; a task runs on the nodes that have its roles."""

    SERVICES = "services"
    DATABASE = "database"
    STORE = "store"
    DICOM = "dicom"
    CLEANUP = "cleanup"
    REBOOT = "reboot"


class SecretFile(Value):
    """Where a secret lies: a file readable by the agent alone, its only line being the secret."""

    file: AbsolutePath = Field(description="file on the controller that nobody but the agent can read")


class SecretCredential(Value):
    """Where a secret lies: a systemd credential (`LoadCredential=`) of the agent's unit."""

    credential: Name = Field(description="name given in `LoadCredential=`")


def _secret_kind(given: Any) -> str | None:
    if isinstance(given, Value):
        return "<file>" if isinstance(given, SecretFile) else "<credential>"
    keys = given.keys() & {"file", "credential"} if isinstance(given, dict) else ()
    return f"<{min(keys)}>" if len(keys) == 1 else None


Secret = Annotated[
    Annotated[SecretFile, Tag("<file>")] | Annotated[SecretCredential, Tag("<credential>")],
    Discriminator(
        _secret_kind,
        custom_error_type="secret",
        custom_error_message='a secret is never written here: write { file = "/…" } or { credential = "name" }',
    ),
]


class Blackout(Value):
    """Days, both included, on which no window opens."""

    first: dt.date = Field(alias="from", description="first day, without quotes: 2026-12-24")
    last: dt.date = Field(alias="to", description="last day, without quotes: 2026-12-26")
    why: str = Field(max_length=200, description="reason, shown where a window does not open")


class Site(Value):
    """The hospital, its clock and its calendar."""

    name: Name = Field(description="name of the site, as it stands in every plan and in the intervention log")
    timezone: str = Field(description="IANA name, e.g. Europe/Paris; windows are local times of this zone")
    holidays: str | None = Field(
        None, description="country, e.g. FR, or country and region, e.g. DE-BY: no window opens then"
    )
    blackouts: tuple[Blackout, ...] = Field((), strict=False, description="days on which no window opens")


class LogIndex(Value):
    """A PostgreSQL database in which several controllers' logs may meet. Without it: SQLite beside the log."""

    host: AddressOrSocketFolder = Field(description="host name, IP address or folder of the server's socket")
    port: Port = Field(5432, description="port of the server")
    name: Word = Field(description="name of the database")
    user: Word = Field(description="role that owns the tables of the index")
    password: Secret | None = Field(None, description="without it, as libpq finds it: a passfile or the peer's name")


class Log(Value):
    """Where the intervention log can be searched."""

    index: LogIndex | None = None


class Controller(Value):
    """The machine that `maintainer` runs on."""

    state: AbsolutePath = Field(description="folder of the intervention log and its keys; back it up")
    parallel: int = Field(8, ge=1, le=64, description="how many nodes are worked on at the same time")
    plan_expires_after: TimeLimit = Field(
        dt.timedelta(hours=12), description="a plan that is older must be made and approved anew"
    )
    log: Log = Field(Log(), description="where the intervention log can be searched")


class Group(Value):
    """Nodes that stand in for each other: at most one of them is ever worked on."""

    members: tuple[Name, ...] = Field(
        min_length=2, max_length=64, strict=False, description="names of nodes; a node is in one group at most"
    )


class Ssh(Value):
    """How to reach the node, and by which key it proves to be itself."""

    user: Word = Field(description="account on the node")
    port: Port = Field(22, description="port of the node's SSH server")
    host_key: str | None = Field(None, description="the node's public key: `ssh-ed25519 AAAA…`")
    known_hosts: AbsolutePath | None = Field(
        None, description="instead of host_key: a known_hosts file that names the node"
    )
    key: Secret | None = Field(None, description="private key; without it, the keys that ssh-agent holds")
    sudo: bool = Field(default=False, description="run the node program under `sudo -n`")
    prepared: bool = Field(
        default=False, description="the node runs its own program by its own policy: see `maintainer node prepare`"
    )


class Database(Value):
    """The PACS database as seen from the node; it is reached through the SSH connection."""

    name: Word = Field(description="name of the database")
    user: Word = Field(description="role to log in as; `maintainer check` says which privileges it lacks")
    password: Secret | None = Field(None, description="without it, none is sent")
    host: Address = Field("127.0.0.1", description="where the server listens, as seen from the node")
    port: Port = Field(5432, description="port of the server, as seen from the node")


StorageId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=64),
    Called("a storage's name", "it has letters, digits and . _ -, begins with none of . and -, and is 64 long at most"),
]
StorageFolder = Annotated[
    str,
    StringConstraints(pattern=r"^(\.|[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*)$", max_length=255),
    Called(
        "a folder below `path`", 'it is written without / at its ends, as "fs1" or "online/fs1"; "." is `path` itself'
    ),
]


class Store(Value):
    """The folder of DICOM objects. There is no verb in this product that writes to it."""

    archive: Literal["dcm4chee", "orthanc", "practice", "tree"] = Field(
        description="the product whose index lists the objects; tree: there is no index, every file is one"
    )
    path: AbsolutePath = Field(description="folder of the objects on the node; it is only ever read")
    storages: dict[StorageId, StorageFolder] = Field(
        {},
        max_length=64,
        description="of dcm4chee: storage (dcmStorageID) → its folder below `path`, as the node sees it",
    )


class Dicom(Value):
    """How a modality would call the archive on this node."""

    port: Port = Field(104, description="port of the archive, called from the controller as a modality would")
    ae_title: AeTitle = Field(description="AE title that the archive is called by")
    calling_ae_title: AeTitle = Field("MAINTAINER", description="AE title that the archive sees calling")
    timeout: TimeLimit = Field(dt.timedelta(seconds=10), description="longest wait for an answer")
    canary: Uid | None = Field(
        None,
        description="Study Instance UID of a small study without a patient, fetched to prove that images can be had",
    )
    canary_digest: PixelDigest | None = Field(
        None, description="digest of the canary's pixels, as `maintainer check` tells it"
    )


class CleanupRoot(Value):
    """A folder that may be cleaned: old files are moved to its quarantine, and deleted from there later."""

    path: AbsolutePath = Field(description="folder on the node; never a store, a system folder or a part of one")
    patterns: tuple[
        Annotated[
            str,
            StringConstraints(pattern=r"^[^/\x00]+$", max_length=255),
            Called("a pattern", "it fits the names of files, such as *.tmp, and has no slash"),
        ],
        ...,
    ] = Field(min_length=1, max_length=64, strict=False, description="names of the files that may go, such as *.tmp")
    older_than: TimeLimit = Field(description="only files that have not changed for so long")
    age_by: Literal["ctime", "mtime"] = Field(
        "ctime", description="ctime cannot be set, so a file copied in with an old date is still new"
    )
    keep_quarantined: Duration = Field(
        dt.timedelta(days=7), description="how long a file can still be fetched back from quarantine"
    )


def _is_watchable(pattern: str) -> str:
    folder = normal_path(pattern).rpartition("/")[0]
    if set(folder) & set("*?["):
        raise ValueError
    return pattern


Watched = Annotated[
    tuple[
        Annotated[
            str,
            StringConstraints(max_length=1024),
            AfterValidator(_is_watchable),
            Called("a file to watch", "it is an absolute path, with * and ? in its last part only"),
        ],
        ...,
    ],
    Field(max_length=64, strict=False),
]


class Node(Value):
    """A machine that is looked after. What it has decides which tasks run on it."""

    address: Address = Field(description="host name or IP address that SSH connects to")
    ssh: Ssh = Field(description="how to reach the node, and by which key it proves to be itself")
    services: dict[Name, Service] = Field({}, description="what can be restarted here")
    database: Database | None = Field(None, description="the archive's PostgreSQL database")
    store: Store | None = Field(None, description="the archive's folder of DICOM objects")
    dicom: Dicom | None = Field(None, description="the archive's DICOM address")
    mounts: tuple[AbsolutePath, ...] = Field(
        (), max_length=64, strict=False, description="mount points that must be mounted and not empty for it to serve"
    )
    reboot: bool = Field(default=False, description="whether the task node-reboot may reboot this machine")
    watch: Watched = Field((), description="configuration files whose changes are told when a person has worked here")
    cleanup: dict[Name, CleanupRoot] = Field({}, description="folders in which old files may be removed")
    tasks: dict[Name, dict[str, Any]] = Field({}, description="settings of [tasks.NAME] that differ on this node")

    @cached_property
    def roles(self) -> frozenset[Role]:
        return frozenset(role for role in Role if getattr(self, role.value))


class Inventory(Value):
    """Everything that `maintainer` knows about a site."""

    site: Site = Field(description="the hospital, its clock and its calendar")
    controller: Controller = Field(description="the machine that `maintainer` runs on")
    windows: dict[Name, Window] = Field(min_length=1, description="when work may be done")
    groups: dict[Name, Group] = Field({}, description="nodes of which at most one may be out of service")
    nodes: dict[Name, Node] = Field(min_length=1, description="the machines that are looked after")
    tasks: dict[Name, dict[str, Any]] = Field(
        min_length=1, description="settings of each task; `maintainer schema` lists them"
    )

    def group_of(self, node: str) -> tuple[str, Group] | None:
        return next(((name, group) for name, group in self.groups.items() if node in group.members), None)

    def partners(self, node: str) -> tuple[str, ...]:
        found = self.group_of(node)
        return tuple(m for m in found[1].members if m != node) if found else ()
