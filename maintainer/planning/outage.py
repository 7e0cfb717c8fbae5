"""What every task must know that takes a node out of service: who still uses it, and whether images can be had."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from pydantic import Field

from maintainer.model.action import Drain
from maintainer.model.finding import Finding, Severity
from maintainer.model.inventory import Node
from maintainer.model.plan import Refuse, Risk, Step
from maintainer.model.probes import probes
from maintainer.model.task import Observation, Params, Seen
from maintainer.model.values import Duration, TimeLimit

MARGIN = timedelta(minutes=1)
"""What the looks of a drain may take beside the waiting."""


class ProbeAnswer(Seen):
    """What a `Probe` answered."""

    answered: bool
    why: str = ""
    seconds: float = 0


class OutageParams(Params):
    """Settings of a task that takes a node out of service."""

    serves_within: TimeLimit = Field(
        timedelta(minutes=2), description="how long the node may take to serve again, after the start"
    )
    drain_within: Duration = Field(
        timedelta(minutes=5),
        description="wait so long for open DICOM associations to end, and stop nothing if they do not; 0s: do not wait",
    )
    refuse_while_receiving: bool = Field(
        default=False, description="stop nothing while images arrive, instead of waiting for their associations to end"
    )


def image_probes(node: Node) -> Mapping[str, Observation]:
    """Ask everything that a client can ask this node, by the names `database`, `dicom`, `mounts` and `canary`."""
    names = {"select-1": "database", "c-echo": "dicom"}
    return {names.get(probe.by, probe.by): probe for probe in probes(node)}


def drain(subject: str, reason: str, params: OutageParams) -> tuple[Step, ...]:
    """Wait for open associations before anything is stopped; no step where the site does not want to wait."""
    if not params.drain_within and not params.refuse_while_receiving:
        return ()
    action = Drain(within=params.drain_within, refuse_while_receiving=params.refuse_while_receiving)
    return (
        Step(
            subject=subject,
            title="wait until open DICOM associations end",
            reason=reason,
            action=action,
            risk=Risk.READS,
            timeout=params.drain_within + MARGIN,
        ),
    )


def no_images(dicom: ProbeAnswer | None, mounts: ProbeAnswer | None, canary: ProbeAnswer | None) -> Refuse | None:
    """Refuse what could not be proven afterwards: the archive answers, and images cannot be had all the same."""
    if mounts is not None and not mounts.answered:
        return Refuse(
            because=f"{mounts.why}: an archive that starts now would work on the wrong folder",
            hint="mount it, and see that it holds what it should; or correct `mounts` in the inventory",
        )
    if dicom is not None and dicom.answered and canary is not None and not canary.answered:
        return Refuse(
            because=f"that it serves images could not be proven afterwards, as it cannot now: {canary.why}",
            hint="look at the archive's log; `maintainer check` asks again",
        )
    return None


def image_findings(
    dicom: ProbeAnswer | None, mounts: ProbeAnswer | None, canary: ProbeAnswer | None
) -> tuple[Finding, ...]:
    """Find, night by night, that an archive which answers does not have its images."""
    return tuple(_image_findings(dicom, mounts, canary))


def _image_findings(
    dicom: ProbeAnswer | None, mounts: ProbeAnswer | None, canary: ProbeAnswer | None
) -> Iterator[Finding]:
    if mounts is not None and not mounts.answered:
        advice = "mount it before anything is stored there; an archive may take the empty folder for its store"
        yield _critical("mount-missing", "mounts", mounts, advice)
    if dicom is not None and dicom.answered and canary is not None and not canary.answered:
        advice = "the archive answers, and its images cannot be had as declared: look at its log and its store now"
        yield _critical("canary-not-served", "canary", canary, advice)


def _critical(cause: str, subject: str, answer: ProbeAnswer, advice: str) -> Finding:
    return Finding(
        severity=Severity.CRITICAL, cause=cause, subject=subject, evidence={"why": answer.why}, advice=advice
    )
