"""Compare the archive's index with its store, both ways, and say what differs. It never repairs and never deletes.

Every indexed object: is it there, has it the size and the digest of the index, does its header parse? Every file: does
the index know it? Proof of an object is the archive's own digest; a header that parses proves little.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Literal

from maintainer import sdk


class IntegrityParams(sdk.Params):
    grace: sdk.Duration = sdk.Field(timedelta(days=1), description="a file younger than this may not be indexed yet")
    at_most: sdk.TimeLimit = sdk.Field(
        timedelta(minutes=30), description="stop reading after this long; the next run goes on there"
    )
    lost_share: float = sdk.Field(
        0.5, gt=0, le=1, description="from this share of missing objects on: a lost mount, not lost objects"
    )


class Deviation(sdk.Seen):
    path: str
    verdict: Literal["missing", "unreadable", "size", "digest", "header", "executable-preamble", "orphan"]
    evidence: dict[str, str | int | float | bool | None] = {}


class Scan(sdk.Seen):
    store_present: bool
    checked: int
    bytes: int
    files: int
    deviations: tuple[Deviation, ...]
    unlisted: int = sdk.Field(0, description="deviations beyond those that are listed")
    reached: int | None = sdk.Field(
        description="key after which the next scan goes on; None: the whole index was checked"
    )
    files_complete: bool = True
    skipped: dict[str, int] = sdk.Field({}, description="what lies in the store and is no file to judge, by kind")


class IntegrityFacts(sdk.Facts):
    scan: Scan


class DicomIntegrity(sdk.Task[IntegrityParams, IntegrityFacts]):
    name = "dicom-integrity"
    roles = frozenset({sdk.Role.DATABASE, sdk.Role.STORE})
    params = IntegrityParams
    facts = IntegrityFacts

    def observe(self, node: sdk.Node, params: IntegrityParams) -> Mapping[str, sdk.Observation]:
        return {"scan": sdk.StoreScan(grace=params.grace, at_most=params.at_most, resume=VERIFIED_UP_TO)}

    def plan(self, node: sdk.Node, params: IntegrityParams, facts: IntegrityFacts) -> sdk.Decision:
        scan = facts.scan
        missing = sum(deviation.verdict == "missing" for deviation in scan.deviations) + scan.unlisted
        if not scan.store_present or (scan.checked and missing >= max(2, params.lost_share * scan.checked)):
            return _lost_mount(scan, missing)
        position = sdk.Measurement(name=VERIFIED_UP_TO, subject="store", value=scan.reached or 0)
        findings = (*map(_finding, scan.deviations), *_unfinished(scan))
        return sdk.Nothing(because=_summary(scan), findings=findings, measured=(position,))


def _summary(scan: Scan) -> str:
    part = "" if scan.reached is None else " (the next run goes on from there)"
    differ = len(scan.deviations) + scan.unlisted
    return (
        f"{scan.checked} objects ({scan.bytes / 1e6:.1f} MB) and {scan.files} files were checked{part}, {differ} differ"
    )


def _lost_mount(scan: Scan, missing: int) -> sdk.Refuse:
    evidence: dict[str, str | int | float | bool | None] = {
        "store_present": scan.store_present,
        "checked": scan.checked,
        "missing": missing,
    }
    finding = sdk.Finding(
        severity=sdk.Severity.CRITICAL,
        cause="store-lost",
        subject="store",
        evidence=dict(evidence),
        advice="check that the store is mounted (findmnt) and that the database belongs to it; touch nothing before",
    )
    return sdk.Refuse(
        because="so many objects are missing that the store is not mounted, or the database belongs to another one",
        hint="see the finding",
        findings=(finding,),
    )


def _finding(deviation: Deviation) -> sdk.Finding:
    severity, advice = VERDICTS[deviation.verdict]
    return sdk.Finding(
        severity=severity,
        cause=f"object-{deviation.verdict}",
        subject=deviation.path,
        evidence=dict(deviation.evidence),
        advice=advice,
        private=True,
    )


def _unfinished(scan: Scan) -> Iterator[sdk.Finding]:
    if scan.unlisted:
        yield _about_store("more-deviations", scan.unlisted, "repair what is listed first; the next run lists the rest")
    if not scan.files_complete:
        advice = "raise at_most in [tasks.dicom-integrity]: orphans may have been missed"
        yield _about_store("files-not-all-listed", scan.files, advice)
    if scan.skipped:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(scan.skipped.items()))
        yield _about_store(
            "files-not-judged", sum(scan.skipped.values()), f"find out what these do in a store: {kinds}"
        )


def _about_store(cause: str, count: int, advice: str) -> sdk.Finding:
    evidence: dict[str, sdk.JsonValue] = {"count": count}
    return sdk.Finding(severity=sdk.Severity.WARNING, cause=cause, subject="store", evidence=evidence, advice=advice)


VERIFIED_UP_TO = "verified-up-to"
_RESTORE = (
    "fetch a good copy (mirror, backup, modality) and let the archive store it again; keep the damaged file as evidence"
)
VERDICTS = {
    "missing": (sdk.Severity.CRITICAL, _RESTORE),
    "unreadable": (sdk.Severity.CRITICAL, "look at the disk (dmesg, smartctl) before anything else, then " + _RESTORE),
    "size": (sdk.Severity.CRITICAL, "the file is not as long as when it was stored: " + _RESTORE),
    "digest": (
        sdk.Severity.CRITICAL,
        "the content changed since it was stored: check the disk (smartctl), then " + _RESTORE,
    ),
    "header": (
        sdk.Severity.WARNING,
        "it is as the archive stored it but not proper DICOM: see whether viewers open it",
    ),
    "executable-preamble": (
        sdk.Severity.CRITICAL,
        "malware may hide here: do not open or copy it; call whoever handles security",
    ),
    "orphan": (
        sdk.Severity.WARNING,
        "the index does not know this file: find out whether a study was lost from it; delete nothing",
    ),
}
