"""Restart services that have run too long, and start or restart those that do not serve.

A PACS archive that runs for months collects leaked memory and stale connections; a planned restart at night costs
seconds, an unplanned one by day costs the department. What does not answer is restarted whatever its age: that takes
nothing away from anybody.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from dateutil.rrule import rrulestr
from pydantic import AfterValidator

from maintainer import sdk


def _a_rule(text: str) -> str:
    """Accept a rule of days; INTERVAL=0 would never end, and a start of its own would move with the file."""
    parts = {part.partition("=")[0].upper(): part.partition("=")[2] for part in text.split(";")}
    sentence = "a schedule is an RFC 5545 rule such as FREQ=MONTHLY;BYDAY=1SU"
    if parts.get("FREQ") not in {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"} or parts.get("INTERVAL", "1").strip("0") == "":
        raise ValueError(sentence)
    try:
        rrulestr(text, dtstart=datetime(2000, 1, 3, tzinfo=UTC))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(sentence) from None
    return text


class RestartParams(sdk.Params):
    max_age: sdk.Duration = sdk.Field(timedelta(days=30), description="restart a service whose process is older")
    schedule: Annotated[str, AfterValidator(_a_rule)] | None = sdk.Field(
        None,
        description="restart once after each date of this RFC 5545 rule, e.g. FREQ=MONTHLY;BYDAY=1SU (times in UTC)",
    )
    serves_within: sdk.TimeLimit = sdk.Field(
        timedelta(minutes=2), description="how long the node may take to serve again"
    )


class ServiceState(sdk.Seen):
    state: Literal["running", "stopped", "unknown"]
    pid: int | None = None
    started_at: datetime | None = None
    detail: str = ""


class ProbeAnswer(sdk.Seen):
    answered: bool
    why: str = ""
    seconds: float = 0


class RestartFacts(sdk.Facts):
    services: dict[str, ServiceState]
    dicom: ProbeAnswer | None = None
    database: ProbeAnswer | None = None


class ServiceRestart(sdk.Task[RestartParams, RestartFacts]):
    name = "service-restart"
    roles = frozenset({sdk.Role.SERVICES})
    params = RestartParams
    facts = RestartFacts

    def observe(self, node: sdk.Node, params: RestartParams) -> Mapping[str, sdk.Observation]:
        looks: dict[str, sdk.Observation] = {"services": sdk.NodeQuery(program="services", request={})}
        if node.dicom:
            looks["dicom"] = sdk.Probe(by="c-echo")
        if node.database:
            looks["database"] = sdk.Probe(by="select-1")
        return looks

    def plan(self, node: sdk.Node, params: RestartParams, facts: RestartFacts) -> sdk.Decision:
        unclear = [name for name in node.services if facts.services[name].state == "unknown"]
        if unclear:
            why = facts.services[unclear[0]].detail
            return sdk.Refuse(
                because=f"cannot tell whether {', '.join(unclear)} runs: {why}",
                hint="run the service's status command on the node; then fix it or the inventory's pid_file",
            )
        due = {name: reason for name in node.services if (reason := _reason(name, node, params, facts))}
        if not due:
            return sdk.Nothing(because="every service answers, and none has run too long")
        if _waits_for_database(node, facts):
            return sdk.Refuse(
                because=f"the database does not answer ({_silence(facts.database)}), so restarting would not help",
                hint="bring PostgreSQL back first: look at its service and its log on the node",
            )
        return sdk.Steps(
            steps=tuple(step for name, reason in due.items() for step in _restart(name, reason, node, params, facts))
        )


def _reason(name: str, node: sdk.Node, params: RestartParams, facts: RestartFacts) -> str:
    """Say why a service is due, or nothing."""
    service = facts.services[name]
    if service.state == "stopped":
        return "it is not running"
    probe = _probe_of(name, node, facts)
    if probe is not None and not probe.answered:
        return f"it runs but does not answer {node.services[name].answers}: {probe.why}"
    if service.started_at is None:
        return ""
    if facts.observed_at - service.started_at >= params.max_age:
        return f"it has run for {(facts.observed_at - service.started_at).days} days"
    planned = _last_planned(params.schedule, facts.observed_at)
    if planned is not None and service.started_at < planned:
        return f"a restart was planned for {planned:%Y-%m-%d %H:%M} UTC"
    return ""


def _last_planned(schedule: str | None, now: datetime) -> datetime | None:
    if schedule is None:
        return None
    rule = rrulestr(schedule, dtstart=(now - timedelta(days=400)).replace(hour=0, minute=0, second=0, microsecond=0))
    return rule.before(now, inc=True)


def _probe_of(name: str, node: sdk.Node, facts: RestartFacts) -> ProbeAnswer | None:
    return facts.dicom if node.services[name].answers == "c-echo" else facts.database


def _waits_for_database(node: sdk.Node, facts: RestartFacts) -> bool:
    """An archive cannot serve without its database: only a service of this node that is the database can help."""
    silent = facts.database is not None and not facts.database.answered
    return silent and not any(service.answers == "select-1" for service in node.services.values())


def _silence(probe: ProbeAnswer | None) -> str:
    return probe.why if probe else "not asked"


def _restart(
    name: str, reason: str, node: sdk.Node, params: RestartParams, facts: RestartFacts
) -> tuple[sdk.Step, ...]:
    """Stop, start and proof, in this order; what serves nobody now is restarted without costing an outage."""
    probe = _probe_of(name, node, facts)
    serves = facts.services[name].state == "running" and (probe is None or probe.answered)
    timeout = node.services[name].timeout

    def step(title: str, action: sdk.Action, risk: sdk.Risk, longest: timedelta) -> sdk.Step:
        return sdk.Step(subject=name, title=title, reason=reason, action=action, risk=risk, timeout=longest)

    stop = step(
        f"stop {name}",
        sdk.ServiceAction(verb="stop", service=name),
        sdk.Risk.OUTAGE if serves else sdk.Risk.SLOWER,
        timeout,
    )
    start = step(f"start {name}", sdk.ServiceAction(verb="start", service=name), sdk.Risk.SLOWER, timeout)
    proof = step(
        "prove that the node serves",
        sdk.ProveService(within=params.serves_within),
        sdk.Risk.READS,
        params.serves_within,
    )
    return (start, proof) if facts.services[name].state == "stopped" else (stop, start, proof)
