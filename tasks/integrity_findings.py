"""What is told about a store and its objects, how grave it is, and what to do."""

from collections.abc import Iterator, Mapping

from maintainer import sdk
from tasks.integrity_facts import Deviation


def store_lost(evidence: dict[str, sdk.JsonValue], unless: str = "") -> sdk.Refuse:
    where = "check that the store is mounted (findmnt) and that the database belongs to it; touch nothing before"
    advice = where + unless
    finding = about_store("store-lost", evidence, advice, sdk.Severity.CRITICAL)
    return sdk.Refuse(
        because="so much of the store and its index differs that it is not mounted, or the database is of another one",
        hint="see the finding",
        findings=(finding,),
    )


def of_object(deviation: Deviation) -> sdk.Finding:
    severity, advice = _VERDICTS[deviation.verdict]
    return sdk.Finding(
        severity=severity,
        cause=f"object-{deviation.verdict}",
        subject=deviation.path,
        evidence=dict(deviation.evidence),
        advice=advice,
        private=True,
        indexed_as=deviation.key if deviation.verdict in _TO_BE_FETCHED else None,
    )


def unconfirmed(count: int) -> Iterator[sdk.Finding]:
    if count:
        advice = "nothing to do: the next night asks the archive's index whether it still lists them, then names them"
        yield about_store("deviations-unconfirmed", {"count": count}, advice)


def left_out(unlisted: int, skipped: Mapping[str, int]) -> Iterator[sdk.Finding]:
    if unlisted:
        advice = "repair what is listed first; the next run lists the rest"
        yield about_store("more-deviations", {"count": unlisted}, advice)
    if skipped:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(skipped.items()))
        advice = f"find out what these do in a store: {kinds}"
        yield about_store("files-not-judged", {"count": sum(skipped.values())}, advice)


def about_store(
    cause: str,
    evidence: dict[str, sdk.JsonValue],
    advice: str,
    severity: sdk.Severity = sdk.Severity.WARNING,
) -> sdk.Finding:
    return sdk.Finding(severity=severity, cause=cause, subject="store", evidence=evidence, advice=advice)


_FETCH = "fetch a good copy (mirror, backup, modality) and let the archive store it again"
_RESTORE = f"{_FETCH}; keep the damaged file as evidence"
_TO_BE_FETCHED = {"missing", "unreadable", "size", "digest", "bit-rot", "modified"}
_VERDICTS = {
    "missing": (sdk.Severity.CRITICAL, f"find out who removed the file; {_FETCH}"),
    "unreadable": (sdk.Severity.CRITICAL, "look at the disk (dmesg, smartctl) before anything else, then " + _RESTORE),
    "size": (sdk.Severity.CRITICAL, "the file is not as long as when it was stored: " + _RESTORE),
    "digest": (
        sdk.Severity.CRITICAL,
        "the content changed since it was stored: check the disk (smartctl), then " + _RESTORE,
    ),
    "bit-rot": (
        sdk.Severity.CRITICAL,
        "the content changed and nobody wrote it: the disk or its controller did; look at smartctl, then " + _RESTORE,
    ),
    "modified": (
        sdk.Severity.CRITICAL,
        "somebody or something wrote this file after it was stored: find out who, then " + _RESTORE,
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
