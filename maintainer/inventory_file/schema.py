"""The JSON Schema of an inventory: for editors, and for saying which settings there are."""

import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any

from pydantic import BaseModel, JsonValue
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from maintainer.inventory_file.positions import Path
from maintainer.model.inventory import Inventory
from maintainer.model.task import AnyTask
from maintainer.model.values import write_duration


class _AsWritten(GenerateJsonSchema):
    """Writes a default as the inventory would."""

    def encode_default(self, dft: Any) -> Any:
        return write_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def inventory_schema(register: Mapping[str, AnyTask]) -> dict[str, JsonValue]:
    """Describe a whole inventory, the tables of each registered task included. Draft 2020-12."""
    models: dict[type[BaseModel], None] = dict.fromkeys([Inventory, *(task.params for task in register.values())])
    refs, document = models_json_schema([(model, "validation") for model in models], schema_generator=_AsWritten)
    definitions: dict[str, Any] = _as_toml(document["$defs"])

    def of_model(model: type[BaseModel]) -> dict[str, Any]:
        found: dict[str, Any] = definitions[refs[model, "validation"]["$ref"].rpartition("/")[2]]
        return found

    root, of_tasks = of_model(Inventory), {name: of_model(task.params) for name, task in register.items()}
    for model in models:
        definitions.pop(refs[model, "validation"]["$ref"].rpartition("/")[2])
    for name, task in register.items():
        definitions[name] = of_tasks[name] | {"title": f"[tasks.{name}]", "description": _summary(task)}
        definitions[f"{name}-on-a-node"] = _override(name, of_tasks[name])
    _by_task(root["properties"]["tasks"], {name: name for name in register})
    _by_task(definitions["Node"]["properties"]["tasks"], {name: f"{name}-on-a-node" for name in register})
    return {"$schema": GenerateJsonSchema.schema_dialect, **root, "$defs": dict(sorted(definitions.items()))}


class Schema:
    """Answers what may stand at a path of the inventory. Made when it is first asked."""

    def __init__(self, register: Mapping[str, AnyTask]) -> None:
        self._register = register

    @cached_property
    def _document(self) -> dict[str, Any]:
        return inventory_schema(self._register)

    def keys(self, path: Path) -> tuple[str, ...]:
        """List the settings that a table can have; nothing where names are free."""
        return tuple(dict.fromkeys(key for node in self._at(path) for key in node.get("properties", {})))

    def description(self, path: Path) -> str:
        """Return the first line of what a setting is for."""
        found = (node["description"] for node in self._at(path, expand=False) if "description" in node)
        return str(next(found, "")).partition("\n")[0]

    def is_table(self, path: Path) -> bool:
        return any(node.get("type") == "object" for node in self._at(path))

    def _at(self, path: Path, *, expand: bool = True) -> list[dict[str, Any]]:
        here: list[dict[str, Any]] = [self._document]
        for part in path:
            here = [below for node in here for alternative in self._expand(node) for below in _below(alternative, part)]
        return [alternative for node in here for alternative in self._expand(node)] if expand else here

    def _expand(self, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Follow references, and take each alternative on its own."""
        if "$ref" in node:
            yield from self._expand(self._document["$defs"][node["$ref"].rpartition("/")[2]])
        elif "anyOf" in node or "oneOf" in node:
            for alternative in (*node.get("anyOf", ()), *node.get("oneOf", ())):
                yield from self._expand(alternative)
        else:
            yield node


def _below(node: dict[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    if isinstance(part, int):
        yield from [node["items"]] if "items" in node else []
    elif part in node.get("properties", {}):
        yield node["properties"][part]
    else:
        yield from node.get("patternProperties", {}).values()


def _by_task(tasks: dict[str, Any], definitions: Mapping[str, str]) -> None:
    """Put the tables of the registered tasks in the place of free names."""
    for key in ("patternProperties", "propertyNames", "default"):
        tasks.pop(key, None)
    tasks["properties"] = {name: {"$ref": f"#/$defs/{definition}"} for name, definition in definitions.items()}


def _override(name: str, of_task: dict[str, Any]) -> dict[str, Any]:
    """Describe what one node may set otherwise: everything but where the task runs, and nothing is required."""
    kept = {key: value for key, value in of_task.items() if key not in {"required", "description"}}
    properties = {key: value for key, value in of_task["properties"].items() if key != "nodes"}
    bare = {key: {k: v for k, v in value.items() if k != "default"} for key, value in properties.items()}
    description = f"settings of [tasks.{name}] that differ on this node"
    return kept | {"title": f"[nodes.NAME.tasks.{name}]", "description": description, "properties": bare}


def _summary(task: AnyTask) -> str:
    text = type(task).__doc__ or sys.modules[type(task).__module__].__doc__ or ""
    return text.strip().partition("\n")[0]


def _as_toml(node: Any) -> Any:
    """Leave out null, which TOML does not have, and names that do not fit: a setting is there or it is not."""
    if isinstance(node, list):
        return [_as_toml(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _as_toml(value) for key, value in node.items() if not (key == "default" and value is None)}
    if {"type": "null"} in kept.get("anyOf", ()):
        alternatives = [item for item in kept.pop("anyOf") if item != {"type": "null"}]
        kept = alternatives[0] | kept if len(alternatives) == 1 else kept | {"anyOf": alternatives}
    return kept | {"additionalProperties": False} if "patternProperties" in kept else kept
