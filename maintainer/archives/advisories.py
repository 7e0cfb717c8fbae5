"""Published weaknesses of archives and of the PostgreSQL below them, and the versions that are rid of them.

Each was looked up at the source that it names, up to `AS_OF`. What was published later, or concerns a plugin or a
product that is not here, this list cannot tell.
"""

import datetime as dt
from dataclasses import dataclass

AS_OF = dt.date(2026, 11, 24)


@dataclass(frozen=True, kw_only=True)
class Advisory:
    """Weaknesses that one release did away with.

    Attributes:
        cves: as they are written in a sentence.
        allows: what somebody can do who makes use of them.
        fixed: first upstream version without them.
        source: where this can be read.
        backported: versions of Debian's package that have the fix, although their number is lower.
    """

    cves: str
    allows: str
    fixed: tuple[int, ...]
    source: str
    backported: frozenset[str] = frozenset()


ADVISORIES: dict[str, tuple[Advisory, ...]] = {
    "orthanc": (
        Advisory(
            cves="CVE-2026-5437 to CVE-2026-5445",
            allows="crafted images and HTTP requests crash it, read its memory or write into it",
            fixed=(1, 12, 11),
            source="https://www.kb.cert.org/vuls/id/536588",
        ),
        Advisory(
            cves="CVE-2023-33466",
            allows="whoever may use its REST API can overwrite files, also its configuration",
            fixed=(1, 12, 0),
            source="https://www.debian.org/security/2023/dsa-5473",
            backported=frozenset({"1.9.2+really1.9.1+dfsg-1+deb11u1", "1.10.1+dfsg-2+deb12u1"}),
        ),
        Advisory(
            cves="CVE-2025-0896",
            allows="with remote access and no users configured, everybody may use its REST API",
            fixed=(1, 5, 8),
            source="https://www.cisa.gov/news-events/ics-medical-advisories/icsma-25-037-02",
        ),
    ),
}
"""Package → what is known of it, the newest release first. Of the practice archive there is nothing to know."""


@dataclass(frozen=True, kw_only=True)
class SecurityRelease:
    """Minor releases of PostgreSQL of one day; `minors`: major version → its minor release of that day."""

    minors: dict[int, int]
    cves: str
    allows: str
    source: str = "https://www.postgresql.org/support/security/"


POSTGRESQL: tuple[SecurityRelease, ...] = (
    SecurityRelease(
        minors={18: 6, 17: 11, 16: 15, 15: 19, 14: 24},
        cves="CVE-2026-14680, CVE-2026-16239, CVE-2026-14662 and others",
        allows="whoever may log in to it can run programs as the account of the server",
    ),
    SecurityRelease(
        minors={18: 4, 17: 10, 16: 14, 15: 18, 14: 23},
        cves="CVE-2026-6473, CVE-2026-6479 and others",
        allows="crafted input overwrites its memory, and whoever reaches its port can crash it",
    ),
    SecurityRelease(
        minors={18: 2, 17: 8, 16: 12, 15: 16, 14: 21},
        cves="CVE-2026-2004, CVE-2026-2005, CVE-2026-2006 and others",
        allows="whoever may log in to it can run programs as the account of the server",
    ),
)
"""The newest first. Distributions ship PostgreSQL's own minor releases, so that its number tells."""

LAST_FIXES: dict[int, dt.date] = {13: dt.date(2025, 11, 13), 14: dt.date(2026, 11, 12), 15: dt.date(2027, 11, 11)}
"""Major version → the day of its last release. Source: https://www.postgresql.org/support/versioning/."""
