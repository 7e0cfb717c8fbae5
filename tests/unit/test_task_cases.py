"""Every file of tests/cases/TASK is one decision: settings and facts in, decision out.

A case names only what it is about. `node`, `params` and `facts` are laid over the task's `_base.json`; of the decision,
only the fields that `decision` names are compared.
"""

import json
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from maintainer.model.inventory import Node

CASES = Path(__file__).parent.parent / "cases"
FILES = sorted(path for path in CASES.glob("*/*.json") if path.name != "_base.json")


@cache
def task(name: str) -> Any:
    (entry,) = entry_points(group="maintainer.tasks", name=name)
    return entry.load()()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_decision(path: Path) -> None:
    """The task decides as the case says."""
    base, case = (json.loads(file.read_text("utf-8")) for file in (path.parent / "_base.json", path))
    the_task = task(path.parent.name)
    node = TypeAdapter(Node).validate_json(json.dumps({**base["node"], **case.get("node", {})}))
    params = the_task.params.model_validate_json(json.dumps({**base["params"], **case.get("params", {})}))
    facts = the_task.facts.model_validate({**base["facts"], **case.get("facts", {})})
    decision = the_task.plan(node, params, facts).model_dump(
        mode="json", exclude={"findings": {"__all__": {"private"}}}
    )
    assert case["title"]
    assert _only(decision, case["decision"]) == case["decision"]


@pytest.mark.parametrize("name", sorted({path.parent.name for path in FILES}))
def test_every_answer_has_a_case(name: str) -> None:
    """Each task's cases cover both that something is due, or found, and that nothing is, or that it refuses."""
    paths = [path for path in FILES if path.parent.name == name]
    decisions = [json.loads(path.read_text("utf-8"))["decision"] for path in paths]
    assert len({(decision["kind"], bool(decision.get("findings"))) for decision in decisions}) > 1


def _only(value: Any, wanted: Any) -> Any:
    """Reduce a value to the fields that the case names; lists must have the same length."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return {name: _only(value.get(name), part) for name, part in wanted.items()}
    if isinstance(wanted, list) and isinstance(value, list) and len(wanted) == len(value):
        return [_only(one, part) for one, part in zip(value, wanted, strict=True)]
    return value
