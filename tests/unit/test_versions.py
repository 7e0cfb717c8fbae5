"""What is known against versions of archives and database servers."""

import datetime as dt

import pytest

from maintainer.archives.advisories import ADVISORIES, AS_OF, POSTGRESQL
from maintainer.planning.versions import of_package, of_server, upstream

BEFORE, AFTER = dt.date(2026, 11, 11), dt.date(2026, 11, 12)


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("1.12.11", (1, 12, 11)),
        ("1.12.9+dfsg-1~bpo12+1", (1, 12, 9)),
        ("2:1.10.1+dfsg-2+deb12u1", (1, 10, 1)),
        ("1.9.2+really1.9.1+dfsg-1+deb11u1", (1, 9, 1)),
        ("mainline", ()),
        ("", ()),
        ("7", ()),
    ],
)
def test_the_makers_number_in_a_packages_version(version: str, numbers: tuple[int, ...]) -> None:
    """Epoch, revision and repackaging are the distribution's."""
    assert upstream(version) == numbers


@pytest.mark.parametrize(
    ("version", "cves"),
    [
        ("1.12.11+dfsg-1", []),
        ("1.12.10+dfsg-1", ["CVE-2026-5437 to CVE-2026-5445"]),
        ("1.10.1+dfsg-2+deb12u1", ["CVE-2026-5437 to CVE-2026-5445"]),
        ("1.10.1+dfsg-2", ["CVE-2026-5437 to CVE-2026-5445", "CVE-2023-33466"]),
        ("1.12", ["CVE-2026-5437 to CVE-2026-5445"]),
        ("1.5.7", ["CVE-2026-5437 to CVE-2026-5445", "CVE-2023-33466", "CVE-2025-0896"]),
    ],
)
def test_what_is_known_against_an_orthanc(version: str, cves: list[str]) -> None:
    """Numbers are compared as numbers, and a fix that Debian brought to an older version counts."""
    found = [objection.detail for objection in of_package("orthanc", version)]
    assert len(found) == len(cves)
    assert all(known in detail for known, detail in zip(cves, found, strict=True))


def test_a_version_without_numbers_is_not_fine() -> None:
    """What cannot be compared is said; of a package without a list there is nothing to say."""
    (objection,) = of_package("orthanc", "mainline")
    assert (objection.verdict, "cannot be compared" in objection.detail) == ("warning", True)
    assert list(of_package("viewer", "mainline")) == []


@pytest.mark.parametrize(
    ("number", "today", "said"),
    [
        (180006, AFTER, []),
        (190000, AFTER, []),
        (150019, AFTER, []),
        (150018, AFTER, ["15.18 lacks what 15.19 fixed"]),
        (140024, BEFORE, []),
        (140024, AFTER, ["PostgreSQL 14 has got no fixes since 2026-11-12"]),
        (140001, AFTER, ["PostgreSQL 14 has got no fixes", "14.1 lacks what 14.24 fixed"]),
        (120022, AFTER, ["PostgreSQL 12 has got no fixes since 2025-11-13"]),
    ],
)
def test_what_is_known_against_a_database_server(number: int, today: dt.date, said: list[str]) -> None:
    """A minor release that is behind, and a major version that gets none any more."""
    found = [objection.detail for objection in of_server(number, today)]
    assert len(found) == len(said)
    assert all(part in detail for part, detail in zip(said, found, strict=True))


def test_the_lists_are_in_order_and_say_where_they_are_from() -> None:
    """The newest first, each with a source; no list claims to know the future."""
    for known in ADVISORIES.values():
        assert [one.fixed for one in known] == sorted((one.fixed for one in known), reverse=True)
        assert all(one.source.startswith("https://") for one in known)
    for major in (14, 15, 16, 17, 18):
        minors = [release.minors[major] for release in POSTGRESQL]
        assert minors == sorted(minors, reverse=True)
    assert dt.date(2026, 11, 24) == AS_OF
