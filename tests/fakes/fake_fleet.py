"""Nodes in memory, behind the engine's `Observer` and `Actor`.

What they answer and how they fail is checked by `tests/contract/test_node_port.py`, which runs over these and over the
practice PACS alike.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from maintainer.errors import ActionFailed, CouldNotLook, NodeHeld, StillInUse
from maintainer.model.action import (
    CHECKED_AT,
    DAMAGE,
    Action,
    CheckRelations,
    Drain,
    NodeOperation,
    ProveService,
    Reboot,
    RestartServices,
    Sql,
)
from maintainer.model.progress import Progress, Tell, to_nobody
from maintainer.model.task import NodeQuery, Observation, Probe, Recorded, Room, SqlQuery

HELLO = {"hostname": "fake", "machine_id_sha256": None, "python": "3.11.2", "user": "m", "mounts": []}
YOUNG = {"age": 9, "multixact_age": 0, "never_analyzed": False, "of_the_system": False, "permitted": True}
NOTHING_OF = (
    "reltablespace",
    "checksum_failures",
    "collversion",
    "datfrozenxid",
    "pg_prepared",
    "pgstatindex",
    "pg_stat_replication",
)
"""What no node in memory has anything of, by a word of the query for it."""
NOW = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)


@dataclass(kw_only=True)
class FakeNode:
    """One node's state. `trouble` is called before each action and may raise, as a link or a node would."""

    archive: str = "running"
    archive_started: datetime = NOW - timedelta(days=1)
    hung: bool = False
    database_up: bool = True
    reachable: bool = True
    clock_ahead: timedelta = timedelta(0)
    dead_rows: dict[str, int] = field(default_factory=dict)
    active_clients: int = 0
    clinic_slower_times: float = 0.0
    oldest_transaction: float = 0.0
    relations: list[dict[str, Any]] = field(default_factory=list)
    damage: dict[str, int] = field(default_factory=dict)
    recorded: Callable[[str], Any] = lambda _measurement: {}
    old_files: int = 0
    associations: int = 0
    boot: int = 1
    machine: str | None = None
    booted: datetime = NOW - timedelta(days=50)
    serves_images: bool = True
    holder: dict[str, Any] | None = None
    operations: dict[str, Any] = field(default_factory=dict)
    performed: list[Action] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    queries: int = 0
    requests: list[list[Observation]] = field(default_factory=list)
    """What travelled together."""
    trouble: Callable[[Action], None] = lambda _action: None
    when_looked_at: Callable[["FakeNode"], None] = lambda _node: None

    def observe(self, observation: Observation) -> Any:
        self.when_looked_at(self)
        if not self.reachable:
            raise CouldNotLook("nobody answers", where="fake")
        match observation:
            case NodeQuery(program=program, request=request) if program in self._programs:
                answer = self._programs[program]
                return answer(request) if callable(answer) else answer
            case Probe(by="c-echo"):
                return self._answer(answered=self.archive == "running" and not self.hung)
            case Probe(by="select-1"):
                return self._answer(answered=self.database_up)
            case Probe(by="canary"):
                return self._answer(answered=self.serves_images and self.archive == "running" and not self.hung)
            case SqlQuery():
                return self._rows(observation.text)
            case Recorded() | Room():
                return self.recorded(observation.measurement) if isinstance(observation, Recorded) else {}
        raise CouldNotLook("there is no such program", where="fake")

    def together(self, observations: Sequence[Observation]) -> list[Any]:
        self.requests.append(list(observations))
        return [self._or_why_not(observation) for observation in observations]

    def _or_why_not(self, observation: Observation) -> Any:
        try:
            return self.observe(observation)
        except CouldNotLook as error:
            return error

    def perform(self, action: Action, timeout: timedelta, step: str, tell: Tell = to_nobody) -> dict[str, Any]:
        self.steps.append(step)
        if isinstance(action, Sql):
            tell(Progress("scanning heap", 0.5))
        self.trouble(action)
        self.performed.append(action)
        self._do(action, timeout)
        if isinstance(action, RestartServices | NodeOperation):
            self.operations[step] = {"state": "finished", "ok": True, "ended_at": NOW.isoformat()}
        if isinstance(action, CheckRelations):
            return {"checked": len(action.checks), "measurements": list(self._checked(action))}
        if isinstance(action, Sql) and self.clinic_slower_times:
            return {"clinic_slower_times": self.clinic_slower_times, "clinic_calls": 100}
        return {"boot_id": f"boot-{self.boot}"} if isinstance(action, Reboot) else {}

    def _checked(self, action: CheckRelations) -> Iterator[dict[str, Any]]:
        for one in action.checks:
            yield {"name": DAMAGE, "subject": one.subject, "value": self.damage.get(one.subject, 0)}
            yield {"name": CHECKED_AT, "subject": one.subject, "value": NOW.timestamp()}

    def _do(self, action: Action, timeout: timedelta) -> None:
        match action:
            case RestartServices(stop_first=stop_first):
                if stop_first or self.archive != "running":
                    self.archive, self.archive_started, self.hung = "running", NOW, False
            case Drain():
                if self.associations:
                    raise StillInUse(f"{self.associations} open DICOM associations did not end")
            case Reboot():
                self.boot, self.booted, self.archive_started = self.boot + 1, NOW, NOW
            case NodeOperation(program="quarantine"):
                self.old_files = 0
            case Sql(text=text):
                self.dead_rows.pop(re.findall(r'"([^"]+)"$', text)[0], None)
                self.damage.pop(f"index {text.rpartition(' ')[2]}", None)
            case ProveService():
                if self.archive != "running" or self.hung:
                    raise ActionFailed(f"it does not serve after {timeout}")

    @property
    def _programs(self) -> dict[str, Any]:
        spool = {"files": self.old_files, "bytes": self.old_files, "free_bytes": 5, "total_bytes": 10}
        return {
            "hello": {
                **HELLO,
                "machine_id_sha256": self.machine,
                "clock": (NOW + self.clock_ahead).isoformat(),
                "boot_id": f"boot-{self.boot}",
            },
            "holder": {"token": 1, "holder": self.holder, "released": None},
            "operation": lambda request: self.operations.get(request["id"], {"state": "unknown-id"}),
            "processes": {},
            "boot": {"boot_id": f"boot-{self.boot}", "up_seconds": (NOW - self.booted).total_seconds()},
            "connections": {"established": self.associations, "received_bytes": 0},
            "services": {"archive": {"state": self.archive, "pid": 1, "started_at": self.archive_started.isoformat()}},
            "cleanup": {"spool": spool},
        }

    def _answer(self, *, answered: bool) -> dict[str, Any]:
        return {"answered": answered, "why": "" if answered else "no answer", "seconds": 0.01}

    def _rows(self, text: str) -> list[dict[str, Any]]:
        if not self.database_up:
            raise CouldNotLook("nothing listens there", where="fake")
        self.queries += 1
        if "dead_rows" in text:
            return [
                {"schema": "public", "name": name, "live_rows": 100, "dead_rows": dead, "bytes": 10**8, **YOUNG}
                for name, dead in self.dead_rows.items()
            ]
        if "indisready" in text or "in_work" in text:
            return self.relations
        if "amcheck" in text:
            names = ("bt_index_check", "verify_heapam")
            return [{"schema": "public", "name": name, "permitted": True} for name in names]
        if any(word in text for word in NOTHING_OF):
            return []
        seen = {"active_clients": self.active_clients, "oldest_transaction_seconds": self.oldest_transaction}
        return [{"standby": False, "version": 180000, "sees_all_sessions": True, **seen}]


@dataclass
class FakeFleet:
    """Hands out nodes as `maintainer.links.fleet.Fleet` does, and notes who is being worked on."""

    nodes: dict[str, FakeNode]
    run: str = "r1"
    working: set[str] = field(default_factory=set)
    together: list[frozenset[str]] = field(default_factory=list)

    @contextmanager
    def look(self, name: str) -> Iterator[FakeNode]:
        yield self.nodes[name]

    @contextmanager
    def work(self, name: str) -> Iterator[tuple[FakeNode, FakeNode]]:
        node = self.nodes[name]
        if not node.reachable:
            raise CouldNotLook("nobody answers", where="fake")
        if node.holder is not None and node.holder["controller"] != "c1":
            raise NodeHeld(f"this node is held by {node.holder['who']}", where=name, hint="wait for it to end")
        self.working.add(name)
        self.together.append(frozenset(self.working))
        node.holder = {"controller": "c1", "run": self.run, "who": "tester", "since": NOW.isoformat(), "age_seconds": 0}
        try:
            yield node, node
        finally:
            self.working.discard(name)
            node.holder = None
