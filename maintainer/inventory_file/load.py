"""From a file to an inventory that can be relied on, and to which task runs where."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maintainer.errors import InventoryError
from maintainer.inventory_file import text as texts
from maintainer.inventory_file.crosscheck import CHECKS
from maintainer.inventory_file.draft import Draft
from maintainer.inventory_file.fields import check_sections, check_tasks, check_values, merge
from maintainer.inventory_file.positions import Positions
from maintainer.inventory_file.problems import Problems
from maintainer.inventory_file.schema import Schema
from maintainer.model.inventory import Inventory
from maintainer.model.task import AnyTask, Assignment, Params


@dataclass(frozen=True, kw_only=True)
class LoadedInventory:
    """An inventory without a mistake. `assignments`: nodes in the file's order, and tasks in that order on each."""

    inventory: Inventory
    assignments: tuple[Assignment, ...]
    digest: str
    """SHA-256 of the text, in hexadecimal digits."""
    path: str


def load_inventory(path: Path, register: Mapping[str, AnyTask]) -> LoadedInventory:
    """Read an inventory file.

    Raises:
        InventoryError: it cannot be read, or it has mistakes: all of them, in the order of the file.
    """
    return parse_inventory(texts.read(path), str(path), register)


def parse_inventory(text: str, name: str, register: Mapping[str, AnyTask]) -> LoadedInventory:
    """Read the text of an inventory; `name` is the file that mistakes are reported in.

    Raises:
        InventoryError: it has mistakes: all of them, in the order of the text.
    """
    shown = texts.shown_name(name)
    data = texts.parse(text, shown)
    problems = _check(data, register)
    if problems:
        raise InventoryError(problems.lines(shown, Positions(text)))
    inventory = Inventory.model_validate(data)
    return LoadedInventory(
        inventory=inventory,
        assignments=_assignments(inventory, register),
        digest=hashlib.sha256(text.encode()).hexdigest(),
        path=name,
    )


def _check(data: dict[str, Any], register: Mapping[str, AnyTask]) -> Problems:
    problems = Problems()
    draft, schema = Draft(data, problems), Schema(register)
    problems.add(check_sections(data, schema))
    problems.add(check_tasks(draft, register, schema))
    for check in CHECKS:
        problems.add(check(draft, register))
    problems.add(check_values(data))
    return problems


def _assignments(inventory: Inventory, register: Mapping[str, AnyTask]) -> tuple[Assignment, ...]:
    found = []
    for node_name, node in inventory.nodes.items():
        for task_name, settings in inventory.tasks.items():
            task = register[task_name]
            params: Params = task.params.model_validate(merge(settings, node.tasks.get(task_name, {})))
            if task.roles <= node.roles and (params.nodes is None or node_name in params.nodes):
                found.append(Assignment(node=node_name, task=task_name, params=params))
    return tuple(found)
