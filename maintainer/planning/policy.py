"""What the program on a node may touch there, as the inventory says it."""

from collections.abc import Sequence

from pydantic import JsonValue

from maintainer.model.inventory import CleanupRoot, Node
from maintainer.model.service import CommandService, UnitService


def policy_of(node: Node, not_objects: Sequence[str]) -> dict[str, JsonValue]:
    """Write the policy that travels with each request; the node checks it again.

    `not_objects` are patterns of files in the store that are no objects, such as an archive's half-written ones.
    """
    return {
        "services": {name: _service(service) for name, service in node.services.items()},
        "roots": {name: _root(root) for name, root in node.cleanup.items()},
        "store": node.store.path if node.store else None,
        "not_objects": list(not_objects),
        "mounts": list(node.mounts),
        "may_reboot": node.reboot,
        "watch": list(node.watch),
    }


def _service(service: UnitService | CommandService) -> dict[str, JsonValue]:
    timeout: JsonValue = service.timeout.total_seconds()
    if isinstance(service, UnitService):
        return {"unit": service.unit, "timeout_seconds": timeout}
    return {
        "start": list(service.start),
        "stop": list(service.stop),
        "status": list(service.status),
        "pid_file": service.pid_file,
        "timeout_seconds": timeout,
    }


def _root(root: CleanupRoot) -> dict[str, JsonValue]:
    return {
        "path": root.path,
        "patterns": list(root.patterns),
        "older_than_seconds": root.older_than.total_seconds(),
        "age_by": root.age_by,
        "keep_quarantined_seconds": root.keep_quarantined.total_seconds(),
    }
