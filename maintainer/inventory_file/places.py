"""Folders that must never be cleaned, and folders that must not lie in each other."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from maintainer.inventory_file.draft import Draft, wrong_value
from maintainer.inventory_file.positions import Path
from maintainer.inventory_file.problems import Problem
from maintainer.model.task import AnyTask

QUARANTINE = ".maintainer-quarantine"
_NOT_THEMSELVES = frozenset(
    {"/", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/usr/local"}  # noqa: S108 (refused, not used)
    | {"/var", "/var/cache", "/var/lib", "/var/run", "/var/spool", "/var/tmp"}  # noqa: S108 (refused, not used)
)
_NOT_A_PART_OF = frozenset(
    {"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys"}
    | {"/usr/bin", "/usr/include", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/libx32", "/usr/sbin"}
    | {"/usr/share", "/usr/src", "/var/lib/dpkg", "/var/lib/pgsql", "/var/lib/postgresql", "/var/lib/rpm"}
    | {"/var/lib/systemd", "/var/mail", "/var/spool/cron"}
)


def check_cleanup_roots(draft: Draft, _: Mapping[str, AnyTask]) -> Iterator[Problem]:
    """Refuse roots of the system, and roots that touch the store, the agent's own state or each other."""
    for node, _table in draft.tables("nodes"):
        yield from _check_system(draft, node)
        yield from _check_overlaps(draft, node)


def check_watched(draft: Draft, _: Mapping[str, AnyTask]) -> Iterator[Problem]:
    """Refuse to watch patients' objects, and what is no file: the store has a task of its own."""
    for node, _table in draft.tables("nodes"):
        store = draft.text("nodes", node, "store", "path")
        for path, pattern in draft.texts("nodes", node, "watch"):
            around = {str(place) for place in PurePosixPath(pattern).parents}
            if store in around:
                yield wrong_value(path, f"this lies in the store of `{node}`, which dicom-integrity looks after")
            elif around & {"/dev", "/proc", "/sys"}:
                yield wrong_value(path, "this is not a configuration file")


def _check_system(draft: Draft, node: str) -> Iterator[Problem]:
    for _name, path, root in _roots(draft, node):
        place = PurePosixPath(root)
        around = next((str(p) for p in (place, *place.parents) if str(p) in _NOT_A_PART_OF), None)
        if root in _NOT_THEMSELVES or root == around:
            yield wrong_value(path, f"{root} is a folder of the system: name the folder in it that may be cleaned")
        elif around:
            yield wrong_value(path, f"this lies in {around}, where nothing may be cleaned")
        elif QUARANTINE in place.parts:
            yield wrong_value(path, f"{QUARANTINE} is where cleaned files are kept: name the folder around it")


def _check_overlaps(draft: Draft, node: str) -> Iterator[Problem]:
    """Compare each place with the places around it; this needs time that is linear in the text."""
    places = _places(draft, node)
    by_place: dict[str, tuple[Path, str]] = {}
    for path, place, title in places:
        if place in by_place:
            yield wrong_value(path, f"this is also {by_place[place][1]}")
        by_place.setdefault(place, (path, title))
    for path, place, title in places:
        around = next((str(p) for p in PurePosixPath(place).parents if str(p) in by_place), None)
        if around is None:
            continue
        outer_path, outer_title = by_place[around]
        if "cleanup" in path:
            yield wrong_value(path, f"this lies in {outer_title}, {around}: the two must lie apart")
        else:
            yield wrong_value(outer_path, f"{title}, {place}, lies in this folder: the two must lie apart")


def _places(draft: Draft, node: str) -> list[tuple[Path, str, str]]:
    found: list[tuple[Path, str, str]] = []
    if (state := draft.text("controller", "state")) is not None:
        found.append((("controller", "state"), state, "the state of the controller"))
    if (store := draft.text("nodes", node, "store", "path")) is not None:
        found.append((("nodes", node, "store", "path"), store, f"the store of `{node}`"))
    found += ((path, root, f"the cleanup root `{name}`") for name, path, root in _roots(draft, node))
    return found


def _roots(draft: Draft, node: str) -> Iterator[tuple[str, Path, str]]:
    for name, _table in draft.tables("nodes", node, "cleanup"):
        path: Path = ("nodes", node, "cleanup", name, "path")
        if (root := draft.text(*path)) is not None:
            yield name, path, root
