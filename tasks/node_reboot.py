"""Reboot a machine where that was asked for: on the days of a schedule, or by `--now`. A waiting reboot is only told.

Only nodes with `reboot = true` are ever rebooted, and the node's own policy must say the same.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from maintainer import sdk


class RebootParams(sdk.OutageParams):
    schedule: sdk.DayRule | None = sdk.Field(
        None,
        description="reboot once after each date of this RFC 5545 rule, e.g. FREQ=MONTHLY;BYDAY=1SU (times in UTC);"
        " without it, only when asked for with --now",
    )
    returns_within: sdk.TimeLimit = sdk.Field(
        timedelta(minutes=10), description="how long the machine may take until it can be reached again"
    )


class Boot(sdk.Seen):
    boot_id: str
    up_seconds: float
    reboot_required: bool = False
    running_kernel: str = ""
    newest_kernel: str | None = None


class RebootFacts(sdk.Facts):
    boot: Boot
    dicom: sdk.ProbeAnswer | None = None
    database: sdk.ProbeAnswer | None = None
    mounts: sdk.ProbeAnswer | None = None
    canary: sdk.ProbeAnswer | None = None

    @property
    def booted_at(self) -> datetime:
        """By its age, so that it does not matter whether the node's clock agrees with ours."""
        return self.observed_at - timedelta(seconds=self.boot.up_seconds)


class NodeReboot(sdk.Task[RebootParams, RebootFacts]):
    name = "node-reboot"
    on_request = True
    roles = frozenset({sdk.Role.REBOOT})
    params = RebootParams
    facts = RebootFacts

    def observe(self, node: sdk.Node, params: RebootParams) -> Mapping[str, sdk.Observation]:
        return {"boot": sdk.NodeQuery(program="boot", request={}), **sdk.image_probes(node)}

    def plan(self, node: sdk.Node, params: RebootParams, facts: RebootFacts) -> sdk.Decision:
        findings = (*sdk.image_findings(facts.dicom, facts.mounts, facts.canary), *_waits_for_reboot(facts.boot))
        reason = _reason(params, facts)
        if not reason:
            because = f"it was booted on {facts.booted_at:%Y-%m-%d}, and nobody has asked for a reboot since"
            return sdk.Nothing(because=because, findings=findings)
        if refusal := sdk.no_images(facts.dicom, facts.mounts, facts.canary):
            return refusal.model_copy(update={"findings": findings})
        return sdk.Steps(steps=tuple(_steps(node, reason, params, facts)), findings=findings)


def _reason(params: RebootParams, facts: RebootFacts) -> str:
    if facts.asked_at is not None and facts.booted_at < facts.asked_at:
        return f"asked for at {facts.asked_at:%Y-%m-%d %H:%M} UTC"
    planned = sdk.last_planned(params.schedule, facts.observed_at)
    if planned is not None and facts.booted_at < planned:
        return f"a reboot was planned for {planned:%Y-%m-%d %H:%M} UTC"
    return ""


def _steps(node: sdk.Node, reason: str, params: RebootParams, facts: RebootFacts) -> Iterator[sdk.Step]:
    if facts.dicom is not None and facts.dicom.answered:
        yield from sdk.drain(SUBJECT, reason, params)
    away, served = params.returns_within, params.serves_within
    reboot, proof = sdk.Reboot(within=away), sdk.ProveService(within=served)
    yield sdk.Step(subject=SUBJECT, title="reboot", reason=reason, action=reboot, risk=sdk.Risk.OUTAGE, timeout=away)
    if node.services or sdk.image_probes(node):
        yield sdk.Step(
            subject=SUBJECT,
            title="prove that the node serves",
            reason=reason,
            action=proof,
            risk=sdk.Risk.READS,
            timeout=served,
        )


def _waits_for_reboot(boot: Boot) -> Iterator[sdk.Finding]:
    newer = boot.newest_kernel is not None and _by_number(boot.newest_kernel) > _by_number(boot.running_kernel)
    if not (newer or boot.reboot_required):
        return
    kernels: dict[str, sdk.JsonValue] = {"running": boot.running_kernel, "installed": boot.newest_kernel}
    yield sdk.Finding(
        severity=sdk.Severity.INFO,
        cause="reboot-waiting",
        subject=SUBJECT,
        evidence={**(kernels if newer else {}), "up_days": int(boot.up_seconds // 86400)},
        advice="an update takes effect at the next boot: `maintainer run --now --task node-reboot` in its window",
    )


def _by_number(version: str) -> list[tuple[int, str]]:
    """Order versions as people do.

    >>> _by_number("6.1.0-10-amd64") > _by_number("6.1.0-9-amd64")
    True
    """
    return [(int(part) if part.isdigit() else -1, part) for part in re.findall(r"\d+|[^\d]+", version)]


SUBJECT = "machine"
