"""What is known against the version of an archive or of a database server."""

import datetime as dt
import re
from collections.abc import Iterator

from maintainer.archives.advisories import ADVISORIES, AS_OF, LAST_FIXES, POSTGRESQL, Advisory
from maintainer.planning.privileges import Objection

_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_MAJOR = 10_000


def is_known(product: str) -> bool:
    """Tell whether there is a list of what is known against it."""
    return product in ADVISORIES


def upstream(version: str) -> tuple[int, ...]:
    """Read the numbers of a package's version that are its maker's; none when it has none.

    Source: deb-version(7). `+really` is Debian's custom for a version that went back.

    >>> upstream("1:1.9.2+really1.9.1+dfsg-1"), upstream("mainline")
    ((1, 9, 1), ())
    """
    own = version.rpartition("+really")[2].partition(":")
    found = _NUMBERS.match(own[2] or own[0])
    return tuple(map(int, found[0].split("."))) if found else ()


def of_package(package: str, version: str) -> Iterator[Objection]:
    """Judge the version of an archive's package."""
    numbers = upstream(version)
    if is_known(package) and not numbers:
        yield Objection("warning", f"{package} {version}: a version that cannot be compared", _compare(package))
        return
    for advisory in ADVISORIES.get(package, ()):
        # 1.12 is 1.12.0.
        padded = numbers + (0,) * len(advisory.fixed)
        if padded < advisory.fixed and version not in advisory.backported:
            yield _weakness(package, version, advisory)


def _weakness(package: str, version: str, known: Advisory) -> Objection:
    fixed = ".".join(map(str, known.fixed))
    detail = f"{package} {version}: {known.cves} ({known.allows}); its makers fixed that in {fixed}"
    changes = f"/usr/share/doc/{package}/changelog.Debian.gz"
    hint = f"see whether your distribution brought the fix to its older version: zgrep CVE- {changes}; {known.source}"
    return Objection("warning", detail, hint)


def untold(product: str, why: str) -> Objection:
    """Say that nothing is known about a version, because it could not be had."""
    return Objection("warning", f"which version of {product} runs there cannot be seen: {why}", _compare(product))


def _compare(product: str) -> str:
    first = ADVISORIES[product][0]
    least = ".".join(map(str, first.fixed))
    return f"ask it itself; before {least} there are weaknesses that are published: {first.source}"


def of_server(version_number: int, today: dt.date) -> Iterator[Objection]:
    """Judge the version of a PostgreSQL server, given as `server_version_num`."""
    major, minor = divmod(version_number, _MAJOR)
    last = LAST_FIXES.get(max(major, min(LAST_FIXES)))
    if last is not None and last <= today:
        detail = f"PostgreSQL {major} has got no fixes since {last}, also not against what is found by now"
        yield Objection("warning", detail, "plan the change to a later major version with the archive's vendor")
    missing = [release for release in POSTGRESQL if release.minors.get(major, 0) > minor]
    if missing:
        newest, cves = missing[0], "; ".join(release.cves for release in missing)
        detail = f"PostgreSQL {major}.{minor} lacks what {major}.{newest.minors[major]} fixed: {cves} ({newest.allows})"
        yield Objection("warning", detail, f"install the minor release, no data is converted; {newest.source}")


def unobjectionable(package: str) -> str:
    """Say so of a package that has a list and nothing of it against it; nothing of any other."""
    return f", nothing known against it on {AS_OF}" if is_known(package) else ""
