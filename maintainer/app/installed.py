"""What is installed here: the tasks, and what comes with them."""

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from maintainer.errors import UsageError
from maintainer.inventory_file.load import LoadedInventory, load_inventory
from maintainer.inventory_file.schema import inventory_schema as schema_of
from maintainer.model.task import AnyTask


def register() -> dict[str, AnyTask]:
    """Every task that is installed, ours and third parties', by name.

    Raises:
        UsageError: a third party's task cannot be loaded.
    """
    tasks: dict[str, AnyTask] = {}
    for entry in entry_points(group="maintainer.tasks"):
        try:
            tasks[entry.name] = entry.load()()
        except Exception as error:
            raise UsageError(
                f"the task {entry.name} of {entry.value} cannot be loaded: {type(error).__name__}: {error}",
                hint="update or uninstall the package that brings it",
            ) from error
    return tasks


def load(path: Path) -> LoadedInventory:
    return load_inventory(path, register())


def inventory_schema() -> Mapping[str, Any]:
    return schema_of(register())


def node_program(tasks: Iterable[AnyTask]) -> bytes:
    """Build the program for nodes, as a zipapp: ours, and what each task's package has in its folder `node`."""
    from maintainer.links.node_program import zipapp_bytes  # noqa: PLC0415 (only for who touches nodes)

    return zipapp_bytes(node_folders(tasks))


def node_folders(tasks: Iterable[AnyTask]) -> list[Traversable]:
    packages = {type(task).__module__.rpartition(".")[0] for task in tasks}
    folders = (files(package) / "node" for package in sorted(filter(None, packages)))
    return [folder for folder in folders if folder.is_dir()]
