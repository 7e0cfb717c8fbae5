"""Restart services that have run too long or grown too large, and start or restart those that do not serve.

A PACS archive that runs for months collects leaked memory, stale connections and code that was updated on the disk;
a planned restart at night costs seconds, an unplanned one by day costs the department. What does not answer is
restarted whatever its age: that takes nothing away from anybody.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from maintainer import sdk


class RestartParams(sdk.OutageParams):
    max_age: sdk.Duration = sdk.Field(timedelta(days=30), description="restart a service whose process is older")
    max_memory: sdk.Size | None = sdk.Field(
        None, description="restart a service whose processes hold more memory of their own"
    )
    memory_growth: float | None = sdk.Field(
        None, gt=1, description="restart from this multiple of the least memory on record since it was started"
    )
    deleted_libraries: bool = sdk.Field(
        default=True, description="restart a service that runs code which was updated or removed on the disk"
    )
    schedule: sdk.DayRule | None = sdk.Field(
        None,
        description="restart once after each date of this RFC 5545 rule, e.g. FREQ=MONTHLY;BYDAY=1SU (times in UTC)",
    )


class ServiceState(sdk.Seen):
    state: Literal["running", "stopped", "unknown"]
    pid: int | None = None
    started_at: datetime | None = None
    detail: str = ""


class Processes(sdk.Seen):
    """What a running service's processes hold; see `maintainer/node/observe_processes.py`."""

    pid: int
    age_seconds: float | None = None
    memory_bytes: int = 0
    deleted: tuple[str, ...] = ()
    unreadable: int = 0


class OnRecord(sdk.Seen):
    least: float


class RestartFacts(sdk.Facts):
    services: dict[str, ServiceState]
    processes: dict[str, Processes] = {}
    recorded: dict[str, OnRecord] = {}
    dicom: sdk.ProbeAnswer | None = None
    database: sdk.ProbeAnswer | None = None
    mounts: sdk.ProbeAnswer | None = None
    canary: sdk.ProbeAnswer | None = None

    def started_at(self, name: str) -> datetime | None:
        """By the age that the node tells where it does: then it does not matter whether its clock agrees with ours."""
        age = self.processes[name].age_seconds if name in self.processes else None
        return self.services[name].started_at if age is None else self.observed_at - timedelta(seconds=age)


class ServiceRestart(sdk.Task[RestartParams, RestartFacts]):
    name = "service-restart"
    on_request = True
    roles = frozenset({sdk.Role.SERVICES})
    params = RestartParams
    facts = RestartFacts

    def observe(self, node: sdk.Node, params: RestartParams) -> Mapping[str, sdk.Observation]:
        return {
            "services": sdk.NodeQuery(program="services", request={}),
            "processes": sdk.NodeQuery(program="processes", request={}),
            "recorded": sdk.Recorded(measurement=MEMORY),
            **sdk.image_probes(node),
        }

    def plan(self, node: sdk.Node, params: RestartParams, facts: RestartFacts) -> sdk.Decision:
        known = {"findings": tuple(_findings(params, facts)), "measured": tuple(_measured(node, facts))}
        return _decision(node, params, facts).model_copy(update=known)


def _decision(node: sdk.Node, params: RestartParams, facts: RestartFacts) -> sdk.Decision:
    if untold := [name for name in node.services if name not in facts.services]:
        return sdk.Refuse(
            because=f"cannot tell whether {', '.join(untold)} runs: the node's answer leaves it out",
            hint="a prepared node answers for what its own policy has: `maintainer check` says what differs",
        )
    unclear = [name for name in node.services if facts.services[name].state == "unknown"]
    if unclear:
        why = facts.services[unclear[0]].detail
        return sdk.Refuse(
            because=f"cannot tell whether {', '.join(unclear)} runs: {why}",
            hint="ask for its state on the node as the agent's user; then mend it, or unit or status in the inventory",
        )
    due = {name: reason for name in node.services if (reason := _reason(name, node, params, facts))}
    if not due:
        return sdk.Nothing(because="every service answers, and none has run too long")
    if _waits_for_database(node, facts):
        return sdk.Refuse(
            because=f"the database does not answer ({_silence(facts.database)}), so restarting would not help",
            hint="bring PostgreSQL back first: look at its service and its log on the node",
        )
    if refusal := sdk.no_images(facts.dicom, facts.mounts, facts.canary):
        return refusal
    together = [Together(services, due, node, facts) for services in sdk.components(_after(node))]
    return sdk.Steps(steps=tuple(step for one in together for step in one.steps(params)))


def _reason(name: str, node: sdk.Node, params: RestartParams, facts: RestartFacts) -> str:
    """Say why a service is due, or nothing."""
    if facts.services[name].state == "stopped":
        return "it is not running"
    probe = _probe_of(name, node, facts)
    if probe is not None and not probe.answered:
        return f"it runs but does not answer {node.services[name].answers}: {probe.why}"
    return _by_age(name, params, facts) or _by_processes(name, params, facts)


def _by_age(name: str, params: RestartParams, facts: RestartFacts) -> str:
    started = facts.started_at(name)
    if started is None:
        return ""
    if facts.asked_at is not None and started < facts.asked_at:
        return f"asked for at {facts.asked_at:%Y-%m-%d %H:%M} UTC"
    if facts.observed_at - started >= params.max_age:
        return f"it has run for {(facts.observed_at - started).days} days"
    planned = sdk.last_planned(params.schedule, facts.observed_at)
    if planned is not None and started < planned:
        return f"a restart was planned for {planned:%Y-%m-%d %H:%M} UTC"
    return ""


def _by_processes(name: str, params: RestartParams, facts: RestartFacts) -> str:
    if name not in facts.processes:
        return ""
    held = facts.processes[name]
    if params.max_memory is not None and held.memory_bytes > params.max_memory:
        return f"its processes hold {held.memory_bytes / 1e6:.0f} MB, more than {params.max_memory / 1e6:.0f} MB"
    recorded = facts.recorded.get(_incarnation(name, facts))
    if params.memory_growth and recorded and held.memory_bytes >= params.memory_growth * recorded.least > 0:
        return f"its processes hold {held.memory_bytes / 1e6:.0f} MB, and held {recorded.least / 1e6:.0f} MB at least"
    if params.deleted_libraries and held.deleted:
        more = f" and {len(held.deleted) - 1} more" if len(held.deleted) > 1 else ""
        return f"it runs code that is no longer on the disk: {held.deleted[0]}{more}"
    return ""


def _incarnation(name: str, facts: RestartFacts) -> str:
    """Name one start of a service: its memory is compared with its own beginning, not with an earlier one's.

    By the day, because the start itself is computed from clocks that move by a second now and then.
    """
    started = facts.started_at(name)
    return f"{name}, process {facts.processes[name].pid} of {started:%Y-%m-%d}" if started else ""


def _measured(node: sdk.Node, facts: RestartFacts) -> Iterator[sdk.Measurement]:
    for name in node.services:
        if name in facts.processes and (subject := _incarnation(name, facts)):
            yield sdk.Measurement(name=MEMORY, subject=subject, value=facts.processes[name].memory_bytes)


def _findings(params: RestartParams, facts: RestartFacts) -> Iterator[sdk.Finding]:
    yield from sdk.image_findings(facts.dicom, facts.mounts, facts.canary)
    blind = {name: one.unreadable for name, one in facts.processes.items() if one.unreadable}
    if blind and params.deleted_libraries:
        yield sdk.Finding(
            severity=sdk.Severity.INFO,
            cause="mappings-unreadable",
            subject=", ".join(blind),
            evidence={"processes": sum(blind.values())},
            advice="cannot tell whether they run code that was updated on the disk: set sudo = true in the ssh section,"
            " or deleted_libraries = false",
        )


def _probe_of(name: str, node: sdk.Node, facts: RestartFacts) -> sdk.ProbeAnswer | None:
    return facts.dicom if node.services[name].answers == "c-echo" else facts.database


def _waits_for_database(node: sdk.Node, facts: RestartFacts) -> bool:
    """An archive cannot serve without its database: only a service of this node that is the database can help."""
    silent = facts.database is not None and not facts.database.answered
    return silent and not any(service.answers == "select-1" for service in node.services.values())


def _silence(probe: sdk.ProbeAnswer | None) -> str:
    return probe.why if probe else "not asked"


def _after(node: sdk.Node) -> dict[str, tuple[str, ...]]:
    return {name: service.after for name, service in node.services.items()}


class Together(NamedTuple):
    """Services that have to do with each other, in starting order, and those of the node that are due.

    They are one subject, and what is done to them is one operation on the node.
    """

    services: tuple[str, ...]
    due: Mapping[str, str]
    node: sdk.Node
    facts: RestartFacts

    def steps(self, params: RestartParams) -> Iterator[sdk.Step]:
        """Dependents stop first and start last; then the node proves that it serves."""
        reasons = {name: reason for name in self.services if (reason := self._reason(name))}
        if not reasons:
            return
        stopped = tuple(name for name in reasons if self._runs(name))
        action = sdk.RestartServices(services=tuple(reasons), stop_first=stopped)
        reason = self._together(reasons)
        costs = any(self._serves(name) for name in stopped)
        if costs and self.facts.dicom is not None and self.facts.dicom.answered:
            yield from sdk.drain(self._subject, reason, params)
        risk = sdk.Risk.OUTAGE if costs else sdk.Risk.SLOWER
        yield self._step(action.title, reason, action, risk, self._longest(action))
        within = params.serves_within
        proof = sdk.ProveService(within=within)
        yield self._step("prove that the node serves", reason, proof, sdk.Risk.READS, within)

    @property
    def _subject(self) -> str:
        return ", ".join(self.services)

    def _reason(self, name: str) -> str:
        """Say why a service takes part: it is due, or it runs and needs one that is taken down."""
        if name in self.due or not self._runs(name):
            return self.due.get(name, "")
        needed = [one for one in self.services if one in self.due and self._runs(one) and self._needs(name, one)]
        return f"it needs {needed[0]}" if needed else ""

    def _together(self, reasons: Mapping[str, str]) -> str:
        alone = next(iter(reasons.values())) if len(reasons) == 1 else ""
        return alone or "; ".join(f"{name}: {reason}" for name, reason in reasons.items())

    def _needs(self, name: str, other: str) -> bool:
        return name in sdk.dependents(_after(self.node), other)

    def _runs(self, name: str) -> bool:
        return self.facts.services[name].state == "running"

    def _serves(self, name: str) -> bool:
        """What serves nobody now is stopped without costing an outage."""
        probe = _probe_of(name, self.node, self.facts)
        return probe is None or probe.answered

    def _longest(self, action: sdk.RestartServices) -> timedelta:
        """Each service may take its time to stop, and again to start."""
        each = (self.node.services[name].timeout for name in (*action.stop_first, *action.services))
        return sum(each, TO_LAUNCH)

    def _step(self, title: str, reason: str, action: sdk.Action, risk: sdk.Risk, longest: timedelta) -> sdk.Step:
        return sdk.Step(subject=self._subject, title=title, reason=reason, action=action, risk=risk, timeout=longest)


TO_LAUNCH = timedelta(seconds=15)
"""What launching it and fetching its verdict may take beside the services' own times."""

MEMORY = "memory-bytes"
