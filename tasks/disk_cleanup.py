"""Keep declared folders from filling the disk: old files go to a quarantine first, and are deleted only later.

Only the roots of `[nodes.NAME.cleanup.…]` are ever touched, only regular files that match a pattern and are old enough;
the node's own program checks all of this again. A store of DICOM objects cannot be such a root.
"""

from collections.abc import Mapping
from datetime import timedelta

from maintainer import sdk


class CleanupParams(sdk.Params):
    free_below: float = sdk.Field(
        0.10, gt=0, lt=1, description="warn when a root's file system has less free than this share"
    )
    timeout: sdk.TimeLimit = sdk.Field(
        timedelta(minutes=30), description="longest time for one root, until its own history is known"
    )


class Root(sdk.Seen):
    problem: str = ""
    files: int = 0
    bytes: int = 0
    oldest_age_seconds: float = 0
    skipped: dict[str, int] = {}
    quarantined_files: int = 0
    quarantined_bytes: int = 0
    expired_files: int = 0
    expired_bytes: int = 0
    free_bytes: int = 0
    total_bytes: int = 0
    more: bool = False


_UNTOLD = "the node's answer leaves it out"


class CleanupFacts(sdk.Facts):
    roots: dict[str, Root]


class DiskCleanup(sdk.Task[CleanupParams, CleanupFacts]):
    name = "disk-cleanup"
    roles = frozenset({sdk.Role.CLEANUP})
    params = CleanupParams
    facts = CleanupFacts

    def observe(self, node: sdk.Node, params: CleanupParams) -> Mapping[str, sdk.Observation]:
        return {"roots": sdk.NodeQuery(program="cleanup", request={})}

    def plan(self, node: sdk.Node, params: CleanupParams, facts: CleanupFacts) -> sdk.Decision:
        untold = {name: Root(problem=_UNTOLD) for name in node.cleanup if name not in facts.roots}
        roots = {**facts.roots, **untold}
        findings = tuple(f for name, root in roots.items() for f in _findings(name, root, node, params))
        usable = {name: root for name, root in facts.roots.items() if name in node.cleanup and not root.problem}
        steps = tuple(step for name, root in usable.items() for step in _clean(name, root, node, params))
        if steps:
            return sdk.Steps(steps=steps, findings=findings)
        return sdk.Nothing(because="no declared root holds a file that is old enough", findings=findings)


def _clean(name: str, root: Root, node: sdk.Node, params: CleanupParams) -> tuple[sdk.Step, ...]:
    rule, steps = node.cleanup[name], []
    if root.files:
        matching = f"{root.files} files ({root.bytes / 1e6:.1f} MB) older than {sdk.write_duration(rule.older_than)}"
        steps.append(
            _step(name, f"move {matching} to quarantine", f"they match {' '.join(rule.patterns)}", "quarantine", params)
        )
    if root.expired_files:
        expired = f"{root.expired_files} files ({root.expired_bytes / 1e6:.1f} MB)"
        kept = f"they have been in quarantine for {sdk.write_duration(rule.keep_quarantined)}"
        steps.append(_step(name, f"delete {expired} from quarantine", kept, "expire", params))
    return tuple(steps)


def _step(root: str, title: str, reason: str, program: str, params: CleanupParams) -> sdk.Step:
    return sdk.Step(
        subject=f"root {root}",
        title=title,
        reason=reason,
        action=sdk.NodeOperation(program=program, request={"root": root}),
        risk=sdk.Risk.SLOWER,
        timeout=params.timeout,
    )


def _findings(name: str, root: Root, node: sdk.Node, params: CleanupParams) -> tuple[sdk.Finding, ...]:
    found = []
    if root.problem:
        evidence: dict[str, object] = {"problem": root.problem}
        found.append(_finding(sdk.Severity.WARNING, "root-unusable", name, evidence, _advice(name, root, node)))
    elif root.total_bytes and root.free_bytes < params.free_below * root.total_bytes:
        evidence = {"free_bytes": root.free_bytes, "total_bytes": root.total_bytes}
        advice = "find what grows (du -x), add a cleanup root, or enlarge the file system before it stops the archive"
        found.append(_finding(sdk.Severity.WARNING, "disk-nearly-full", name, evidence, advice))
    strange = {kind: count for kind, count in root.skipped.items() if kind != "young"}
    if strange:
        advice = "links, devices and mounts are never touched; see what they do in a folder that is cleaned"
        found.append(_finding(sdk.Severity.INFO, "left-alone", name, dict(strange), advice))
    return tuple(found)


def _advice(name: str, root: Root, node: sdk.Node) -> str:
    if root.problem == _UNTOLD:
        return "a prepared node answers for what its own policy has: `maintainer check` says what differs"
    if name in node.cleanup:
        return f"look at {node.cleanup[name].path} on the node, or correct [nodes.….cleanup.{name}]"
    return ""


def _finding(severity: sdk.Severity, cause: str, root: str, evidence: Mapping[str, object], advice: str) -> sdk.Finding:
    return sdk.Finding.model_validate(
        {"severity": severity, "cause": cause, "subject": f"root {root}", "evidence": dict(evidence), "advice": advice}
    )
