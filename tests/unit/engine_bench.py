"""A run over nodes in memory, with the real engine, the real tasks and the real intervention log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.pseudonyms import Pseudonyms
from maintainer.intervention_log.record import Record
from maintainer.model.action import Action
from maintainer.model.finding import Severity
from maintainer.model.inventory import Inventory
from maintainer.model.plan import Plan
from maintainer.model.task import Assignment
from maintainer.model.window import Occurrence
from maintainer.running.crew import Crew
from maintainer.running.dry_run import dry_run
from maintainer.running.events import Event
from maintainer.running.foretold import foretold
from maintainer.running.gate import Gate
from maintainer.running.observe import Eyes
from maintainer.running.recorder import Recorder
from maintainer.running.report import RunReport
from maintainer.running.shift import work_a_shift
from maintainer.running.stop import Stop
from tests.fakes.fake_fleet import NOW, FakeFleet, FakeNode

OLD = NOW - timedelta(days=40)
"""Since when an archive runs whose restart is due."""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
TASKS = {entry.name: entry.load()() for entry in entry_points(group="maintainer.tasks")}
SETTINGS: dict[str, dict[str, Any]] = {
    "service-restart": {"max_age": "30d"},
    "db-vacuum": {},
    "db-check": {},
    "db-reindex": {},
    "disk-cleanup": {},
    "node-reboot": {},
}


def inventory(nodes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> Inventory:
    commands = {verb: ["/opt/archive", verb] for verb in ("start", "stop", "status")}
    node = {
        "address": "127.0.0.1",
        "ssh": {"user": "m", "host_key": KEY},
        "services": {"archive": {**commands, "pid_file": "/run/archive.pid"}},
        "database": {"name": "pacs", "user": "m"},
        "dicom": {"ae_title": "A"},
        "reboot": True,
        "cleanup": {"spool": {"path": "/srv/spool", "patterns": ["*"], "older_than": "1d"}},
    }
    return Inventory.model_validate(
        {
            "site": {"name": "s", "timezone": "UTC"},
            "controller": {"state": "/nowhere", "parallel": 4},
            "windows": {"night": {"opens": "22:00", "closes": "05:00"}},
            "groups": {name: {"members": list(members)} for name, members in groups.items()},
            "nodes": dict.fromkeys(nodes, node),
            "tasks": {name: {"window": "night"} for name in SETTINGS},
        }
    )


@dataclass(kw_only=True)
class Night:
    """One night at NOW, in a window that closes after `left`."""

    state: Path
    fleet: FakeFleet
    tasks: Sequence[str] = ("service-restart", "db-vacuum", "disk-cleanup")
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    left: timedelta = timedelta(hours=6)
    now: datetime = NOW
    stop: Stop = field(default_factory=Stop)
    events: list[Event] = field(default_factory=list)
    params: Mapping[str, Any] = field(default_factory=dict)
    known: Sequence[Assignment] = ()
    asked_at: datetime | None = None
    paused: list[float] = field(default_factory=list)

    def plan(self) -> Plan:
        with InterventionLog.read(self.state) as log:
            return dry_run(
                self.assignments,
                self.eyes,
                self.fleet.look,
                self.events.append,
                "inventory",
                ends=log.open_ends(),
                known=self.known or self.assignments,
                foretell=partial(foretold, log),
            )

    def run(self, approved: Plan | None = None, run: str = "r1") -> RunReport:
        with self.log() as log:
            night = Occurrence(
                window="night", day=self.now.date(), opens=NOW - timedelta(hours=1), closes=self.now + self.left
            )
            gate = Gate(
                inventory=self.inventory,
                log=log,
                look=self.fleet.look,
                clock=lambda: self.now,
                stop=self.stop,
                open_windows={"night": night},
                started_wall=self.now,
                controller="c1",
            )
            crew = Crew(
                eyes=self.eyes,
                gate=gate,
                work=self.fleet.work,
                recorder=Recorder(log, run, "tester", approved.digest() if approved else ""),
                report=self.events.append,
                known=self.known or self.assignments,
                pause=self.paused.append,
                approved=approved,
            )
            return work_a_shift(crew, self.assignments, ())

    @contextmanager
    def log(self) -> Iterator[InterventionLog]:
        with InterventionLog.open(self.state, origin="s", clock=lambda: self.now) as log:
            yield log

    def records(self) -> list[Record]:
        with InterventionLog.read(self.state) as log:
            return list(log.records())

    @property
    def inventory(self) -> Inventory:
        return inventory(list(self.fleet.nodes), self.groups)

    @property
    def eyes(self) -> Eyes:
        return Eyes(self.inventory, TASKS, Pseudonyms(self.state), lambda: self.now)

    @property
    def assignments(self) -> tuple[Assignment, ...]:
        return tuple(
            Assignment(
                node=node,
                task=task,
                params=TASKS[task].params.model_validate({"window": "night", **SETTINGS[task], **self.params}),
                asked_at=self.asked_at,
            )
            for node in self.fleet.nodes
            for task in self.tasks
        )


def one_node(state: Path, node: FakeNode, **night: Any) -> Night:
    return Night(state=state, fleet=FakeFleet({"pacs-a": node}), **night)


def endings(report: RunReport) -> list[tuple[str, str]]:
    return [(done.step.title, done.ending.ending) for task in report.tasks for done in task.steps]


def pair(state: Path, a: FakeNode, b: FakeNode, **night: Any) -> Night:
    """A night for the restarts of two nodes that stand in for each other."""
    fleet = FakeFleet({"a": a, "b": b})
    return Night(state=state, fleet=fleet, groups={"pair": ["a", "b"]}, tasks=["service-restart"], **night)


def raising(error: Exception, *, on: type[Any]) -> Callable[[Action], None]:
    """Make trouble for one kind of action."""

    def trouble(action: Action) -> None:
        if isinstance(action, on):
            raise error

    return trouble


def answers(seen: Plan | RunReport) -> dict[str, str]:
    """The one task's answer on each node."""
    parts = seen.entries if isinstance(seen, Plan) else seen.tasks
    return {part.node: part.answer.kind for part in parts}


def causes(report: RunReport) -> list[tuple[str, str, Severity]]:
    return [(found.cause, found.subject, found.severity) for task in report.tasks for found in task.answer.findings]
