"""What can be said of each setting by itself: its kind, its form, its bounds."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from maintainer.inventory_file.draft import Draft, wrong_key, wrong_value
from maintainer.inventory_file.positions import Path
from maintainer.inventory_file.problems import Problem
from maintainer.inventory_file.schema import Schema
from maintainer.inventory_file.sentences import problem
from maintainer.model.inventory import Inventory
from maintainer.model.task import AnyTask


def check_sections(data: Mapping[str, Any], schema: Schema) -> Iterator[Problem]:
    """Check everything but the settings of tasks."""
    for error in _errors(Inventory, data):
        if found := problem(error, (), data, schema):
            yield found


def check_tasks(draft: Draft, register: Mapping[str, AnyTask], schema: Schema) -> Iterator[Problem]:
    """Check `[tasks.NAME]` by itself, then together with what each node sets otherwise."""
    for name, settings in draft.tables("tasks"):
        if name in register:
            for error in _errors(register[name].params, settings):
                if found := problem(error, ("tasks", name), settings, schema):
                    yield found
    for node, _ in draft.tables("nodes"):
        for name, override in draft.tables("nodes", node, "tasks"):
            if name in register:
                yield from _check_override(draft, ("nodes", node, "tasks", name), override, register[name], schema)


def check_values(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what no setting may be: text that cannot be seen, numbers that are none."""
    waiting: list[tuple[Path, Any]] = [((), data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*path, key), item) for key, item in value.items()]
            yield from (wrong_key((*path, key), _NOT_A_KEY) for key in value if not (key and key.isprintable()))
        elif isinstance(value, list):
            waiting += [((*path, number), item) for number, item in enumerate(value)]
        elif isinstance(value, str) and not value.isprintable():
            yield wrong_value(path, "this text spans lines or has characters that cannot be seen")
        elif isinstance(value, float) and not math.isfinite(value):
            yield wrong_value(path, f"{value} is not a number that can be used here")


_NOT_A_KEY = "this name is empty or has characters that cannot be seen"


def _check_override(
    draft: Draft, path: Path, override: dict[str, Any], task: AnyTask, schema: Schema
) -> Iterator[Problem]:
    if "nodes" in override:
        yield wrong_key((*path, "nodes"), f"where a task runs is said once, in [tasks.{path[-1]}]")
    settings = draft.table("tasks", path[-1])
    reported = [(error["loc"], error["type"]) for error in _errors(task.params, settings)]
    merged = merge(settings, override)
    for error in _errors(task.params, merged):
        here = bool(error["loc"]) and error["loc"][0] in override
        if (here or (error["loc"], error["type"]) not in reported) and (found := problem(error, path, merged, schema)):
            yield found


def merge(settings: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Lay what a node sets otherwise over what holds everywhere; a setting is replaced as a whole."""
    return {**settings, **override}


def _errors(model: type[BaseModel], data: Any) -> list[ErrorDetails]:
    try:
        model.model_validate(data)
    except ValidationError as error:
        return error.errors(include_url=False)
    except Exception as error:  # noqa: BLE001 (a task may come from a third party, and so may its check of a value)
        words = f"the task's own check of these settings broke off ({type(error).__name__})"
        return [ErrorDetails(type="unchecked", loc=(), msg=words, input=data)]
    return []
