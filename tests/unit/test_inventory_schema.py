"""The JSON Schema that editors complete an inventory by."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from maintainer.inventory_file.schema import Schema, inventory_schema
from tests.unit.inventory_texts import GOOD, REGISTER, SAMPLE

DOCUMENT: dict[str, Any] = inventory_schema(REGISTER)
KINDS = {"string": str, "integer": int, "number": int | float, "boolean": bool, "object": dict, "array": list}


def objections(value: Any, node: dict[str, Any], where: str = "") -> Iterator[str]:
    """Check a value by the parts of JSON Schema that the document uses."""
    if "$ref" in node:
        yield from objections(value, DOCUMENT["$defs"][node["$ref"].removeprefix("#/$defs/")], where)
    for choice in ("anyOf", "oneOf"):
        if choice in node and not any(not list(objections(value, each, where)) for each in node[choice]):
            yield f"{where}: none of {choice}"
    kinds = node.get("type", [])
    if kinds and not any(isinstance(value, KINDS[kind]) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        yield f"{where}: not {kinds}"
    elif isinstance(value, str):
        if not re.search(node.get("pattern", ""), value) or value not in node.get("enum", [value]):
            yield f"{where}: {value}"
    elif isinstance(value, dict):
        yield from in_table(value, node, where)
    elif isinstance(value, list):
        for item in value:
            yield from objections(item, node["items"], f"{where}[]")


def in_table(value: dict[str, Any], node: dict[str, Any], where: str) -> Iterator[str]:
    yield from (f"{where}.{key}: missing" for key in node.get("required", []) if key not in value)
    for key, item in value.items():
        named = node.get("properties", {}).get(key)
        free = [below for pattern, below in node.get("patternProperties", {}).items() if re.search(pattern, key)]
        below = [named] if named is not None else free
        yield from [f"{where}.{key}: unknown"] if not below and node.get("additionalProperties") is False else []
        for each in below:
            yield from objections(item, each, f"{where}.{key}")


def nodes(here: Any) -> Iterator[dict[str, Any]]:
    if isinstance(here, dict):
        yield here
    for below in here.values() if isinstance(here, dict) else here if isinstance(here, list) else ():
        yield from nodes(below)


def test_it_is_a_document_of_this_dialect() -> None:
    """Editors pick the rules by this line, and the document is plain JSON."""
    assert DOCUMENT["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize("text", [GOOD, SAMPLE.read_text("utf-8")], ids=["good", "sample"])
def test_a_good_inventory_fits(text: str) -> None:
    """What the product accepts, an editor does not underline."""
    assert list(objections(tomllib.loads(text), DOCUMENT)) == []


@pytest.mark.parametrize(
    ("old", "new", "objection"),
    [
        ("[tasks.db-vacuum]", "[tasks.db-vacum]", ".tasks.db-vacum: unknown"),
        ("dead_fraction = 0.4", "dead_fractoin = 0.4", ".nodes.pacs-a.tasks.db-vacuum.dead_fractoin: unknown"),
        ("dead_fraction = 0.4", "nodes = []", ".nodes.pacs-a.tasks.db-vacuum.nodes: unknown"),
        ("port = 4242", 'port = "4242"', ".nodes.pacs-a.dicom.port: not integer"),
        ("dead_fraction = 0.2", "smallest = 1.5", ".tasks.db-vacuum.smallest: not ['string', 'integer']"),
        ('days = ["mon", "fri"]', 'days = ["monday"]', ".windows.night.days[]: monday"),
        ('closes = "05:00"', 'closes = "5h"', ".windows.night.closes: 5h"),
        ('older_than = "7d"', 'older_than = "7 d"', ".nodes.pacs-a.cleanup.spool.older_than: 7 d"),
        ('state = "/var/lib/maintainer"', "", ".controller.state: missing"),
        ("[nodes.pacs-b]", "[nodes.PACS]", ".nodes.PACS: unknown"),
        ('unit = "orthanc.service"', "unit = 1", ".nodes.pacs-a.services.archive: none of oneOf"),
        (
            'password = { file = "/etc/maintainer/pacs-a" }',
            'password = "x"',
            ".nodes.pacs-a.database.password: none of oneOf",
        ),
    ],
)
def test_a_wrong_inventory_does_not_fit(old: str, new: str, objection: str) -> None:
    """An editor underlines what the product would refuse."""
    assert objection in list(objections(tomllib.loads(GOOD.replace(old, new)), DOCUMENT))


def test_every_table_is_closed_and_every_setting_explained() -> None:
    """Nothing can be misspelt without being noticed, and a reader learns what each thing is for."""
    tables = [node for node in nodes(DOCUMENT) if node.get("type") == "object"]
    assert len(tables) > 20
    assert [table["title"] for table in tables if table.get("additionalProperties") is not False] == []
    settings = {
        f"{table['title']}.{key}": setting
        for table in tables
        for key, setting in table.get("properties", {}).items()
        if not key.startswith("db-") and "$ref" not in setting
    }
    assert [name for name, setting in settings.items() if "description" not in setting] == []


def test_an_override_needs_nothing_and_moves_nothing() -> None:
    """A node sets only what differs there, and cannot say where a task runs."""
    assert DOCUMENT["$defs"]["db-vacuum"]["required"] == ["window"]
    override = DOCUMENT["$defs"]["db-vacuum-on-a-node"]
    assert "required" not in override
    assert set(DOCUMENT["$defs"]["db-vacuum"]["properties"]) - set(override["properties"]) == {"nodes"}


def test_defaults_are_written_as_an_inventory_writes_them() -> None:
    """TOML has no null and no ISO 8601 duration."""
    assert DOCUMENT["$defs"]["Dicom"]["properties"]["timeout"]["default"] == "10s"
    assert not any(node.get("type") == "null" or node.get("default", 0) is None for node in nodes(DOCUMENT))


def test_the_paths_of_a_schema_answer_for_messages() -> None:
    """What stands in the schema is what the messages offer."""
    schema = Schema(REGISTER)
    assert "ae_title" in schema.keys(("nodes", "any", "dicom"))
    assert schema.keys(("tasks",)) == tuple(REGISTER)
    assert schema.is_table(("nodes", "any", "ssh"))
    assert not schema.is_table(("nodes", "any", "address"))
    assert schema.description(("nodes", "any", "ssh", "user")) == "account on the node"
    assert schema.keys(("no", "such", 1, "path")) == ()
