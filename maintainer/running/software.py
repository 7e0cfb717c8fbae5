"""Which software serves on a node, and what is known against its version: rows of `maintainer check`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from maintainer.archives.register import product
from maintainer.errors import CouldNotLook
from maintainer.model.inventory import Node
from maintainer.model.service import UnitService
from maintainer.model.task import NodeQuery
from maintainer.planning.privileges import ROLE, DatabaseRole, of_role
from maintainer.planning.versions import is_known, of_package, of_server, unobjectionable, untold
from maintainer.running.examined import Examined, objections
from maintainer.running.ports import Observer

PACKAGES = NodeQuery(program="snapshot", request={})


def packages_of(node: Node) -> set[str]:
    """Names that the packages of what serves there may have."""
    units = {one.unit.removesuffix(".service") for one in node.services.values() if isinstance(one, UnitService)}
    archive = node.store.archive if node.store else None
    return units | ({archive} if archive and product(archive).has_index else set())


def database(name: str, node: Node, observer: Observer, now: datetime) -> Iterator[Examined]:
    """The server's version and what our role may do in it; a database that does not answer has its row already."""
    if node.database is None:
        return
    try:
        answer: Any = observer.observe(ROLE)
        seen = DatabaseRole.model_validate(answer[0] if answer else {})
    except (CouldNotLook, ValidationError):
        return
    detail = f"PostgreSQL {seen.version}, logged in as {seen.role}"
    yield Examined(node=name, what="database", verdict="ok", detail=detail)
    yield from objections(name, "database", of_server(seen.version_number, now.date()))
    yield from objections(name, "role", of_role(seen))


def archive(name: str, node: Node, observer: Observer) -> Iterator[Examined]:
    """Version of each package that is called as one of the units or as the archive, where the node's dpkg tells.

    DICOM does not tell it: Orthanc gives its toolkit's name there, and so do most.
    """
    wanted = packages_of(node)
    if not wanted:
        return
    installed, why = _packages(observer)
    found = {package: version for package, version in installed.items() if package.partition(":")[0] in wanted}
    for package, version in found.items():
        yield from _package(name, package, version)
    for one in sorted(filter(is_known, wanted - {package.partition(":")[0] for package in found})):
        yield from objections(name, "version", [untold(one, why or "no package has its name")])


def _package(name: str, package: str, version: str) -> Iterator[Examined]:
    known = tuple(of_package(package.partition(":")[0], version))
    if not known:
        detail = f"{package} {version}{unobjectionable(package)}"
        yield Examined(node=name, what="version", verdict="ok", detail=detail)
    yield from objections(name, "version", known)


def _packages(observer: Observer) -> tuple[dict[str, str], str]:
    """Installed packages and their versions; or none, and why."""
    try:
        answer = observer.observe(PACKAGES)
    except CouldNotLook as error:  # a program of an earlier version, or a policy that leaves it out
        return {}, error.what
    packages = answer.get("packages") if isinstance(answer, dict) else None
    if not isinstance(packages, dict):
        return {}, "the node has no dpkg to ask"
    return {package: str(version) for package, version in packages.items()}, ""
