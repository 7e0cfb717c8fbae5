"""What is said to be different after a person's work, and nothing else."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maintainer.model.snapshot import Snapshot
from maintainer.planning.changes import changes
from tests.fakes.fake_fleet import NOW

BEFORE: dict[str, Any] = {
    "taken_at": NOW,
    "kernel": "6.1.0-18",
    "boot_id": "one",
    "postgresql": "15.5",
    "packages": {"orthanc": "1.10.1", "dcmtk": "3.6.7", "sudo": "1.9"},
    "services": {"archive": {"state": "running", "pid": 10}, "viewer": {"state": "running", "pid": 11}},
    "files": {"/etc/orthanc/orthanc.json": {"sha256": "a"}, "/etc/orthanc/old.json": {"sha256": "b"}},
    "free_bytes": {"/": 10 * 10**9, "/srv": 50 * 10**9},
}
NAMES = st.text("abc", min_size=1, max_size=3)


def snapshot(**changed: Any) -> Snapshot:
    return Snapshot.model_validate(BEFORE | changed)


def test_nothing_is_different_from_itself() -> None:
    """A visit without a trace has an empty list."""
    assert changes(snapshot(), snapshot()) == ()


def test_each_difference_is_one_line_what_serves_patients_first() -> None:
    """The order is that of importance, so that a long list that is cut loses packages and not services."""
    after = snapshot(
        kernel="6.1.0-20",
        boot_id="two",
        postgresql="15.6",
        packages={"orthanc": "1.12.3", "dcmtk": "3.6.7", "vim": "9.0"},
        services={"archive": {"state": "running", "pid": 20}, "viewer": {"state": "stopped"}},
        files={"/etc/orthanc/orthanc.json": {"sha256": "c"}, "/etc/orthanc/new.json": {"sha256": "d"}},
        free_bytes={"/": 7 * 10**9, "/srv": 50 * 10**9 + 1000},
    )
    assert changes(snapshot(), after) == (
        "rebooted",
        "kernel 6.1.0-18 → 6.1.0-20",
        "PostgreSQL 15.5 → 15.6",
        "service archive restarted",
        "service viewer running → stopped",
        "/etc/orthanc/new.json new",
        "/etc/orthanc/old.json gone",
        "/etc/orthanc/orthanc.json changed",
        "package orthanc 1.10.1 → 1.12.3",
        "package sudo 1.9 removed",
        "package vim 9.0 installed",
        "3.0 GB less free on /",
    )


def test_what_could_not_be_seen_is_not_called_the_same() -> None:
    """No packages, a silent database, an unreadable file, a lost mount, a list that was cut: all are said."""
    after = snapshot(
        postgresql=None,
        packages=None,
        files=BEFORE["files"] | {"/etc/orthanc/old.json": {"problem": "not-permitted"}},
        free_bytes={"/": 10 * 10**9},
        more=True,
    )
    assert changes(snapshot(), after) == (
        "PostgreSQL 15.5 → without an answer",
        "/etc/orthanc/old.json not-permitted",
        "packages could not be compared",
        "/srv is no longer mounted",
        "not everything could be listed, so there may be more",
    )


@given(st.dictionaries(NAMES, NAMES), st.dictionaries(NAMES, NAMES))
def test_as_many_lines_as_packages_differ(before: dict[str, str], after: dict[str, str]) -> None:
    """Every package that differs is named once, whatever happened to it."""
    differ = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    assert len(changes(snapshot(packages=before), snapshot(packages=after))) == len(differ)
