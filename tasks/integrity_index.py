"""What an archive's index says of its store besides what can be held against files, and what to do about it."""

from collections.abc import Iterable, Iterator, Mapping

from maintainer import sdk
from maintainer.sdk import Severity


class OfIndex(sdk.Seen):
    """So many entries of the index, of one storage or of all (""), of which this is to be said."""

    what: str
    storage: str
    objects: int


def asked(node: sdk.Node) -> Mapping[str, sdk.Question]:
    """Ask, where the archive's product has something to say."""
    query = sdk.product_of(node.store).unjudged_sql if node.store else ""
    return {"unjudged": sdk.SqlQuery(text=query)} if query else {}


def told(entries: Iterable[OfIndex]) -> Iterator[sdk.Finding]:
    for one in entries:
        severity, advice = _CAUSES.get(one.what, (Severity.WARNING, "find out what this is: it is not looked after"))
        evidence: dict[str, sdk.JsonValue] = {"count": one.objects}
        subject = one.storage or "store"
        yield sdk.Finding(severity=severity, cause=one.what, subject=subject, evidence=evidence, advice=advice)


_VERIFY_THERE = "let the archive itself verify this storage"
_PURGED = "only the metadata file of each of these series lists its objects: it is verified, they are not"
_REPORTED = "the archive's own check reported these: look for them there by their storage status"
_CAUSES = {
    "storage-not-declared": (
        Severity.WARNING,
        f"write in `storages` which folder this is; if it is none of this node, {_VERIFY_THERE} and `store ack` this",
    ),
    "kept-in-archive-files": (
        Severity.INFO,
        f"they lie in TAR files, of which the index has neither size nor digest: {_VERIFY_THERE}",
    ),
    "kept-on-tape": (Severity.INFO, f"reading them would fetch them from tape: {_VERIFY_THERE}"),
    "instance-records-purged": (Severity.INFO, f"{_PURGED}, and no file is called an orphan; {_VERIFY_THERE}"),
    "placed-by-plugin": (
        Severity.INFO,
        "another plugin chose where these files lie: they are not read, and no file is called an orphan",
    ),
    "archive-reports-missing": (Severity.WARNING, f"{_REPORTED}; fetch good copies (mirror, backup, modality)"),
    "archive-reports-unreadable": (Severity.WARNING, f"{_REPORTED}; what is damaged now is told by its path"),
    "archive-reports-differing": (Severity.WARNING, f"{_REPORTED}; what is damaged now is told by its path"),
}
"""Cause → how grave, and what to do. The causes are the words of the archives' `unjudged` queries."""
