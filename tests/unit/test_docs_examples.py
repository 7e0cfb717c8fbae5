"""What the pages tell to write works when it is pasted: the task of docs/adding-a-task.md, and every inventory."""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from maintainer.app import register
from maintainer.inventory_file.load import parse_inventory
from maintainer.model.task import AnyTask, SqlQuery

ROOT = Path(__file__).parent.parent.parent
TASK_PAGE = ROOT / "docs" / "adding-a-task.md"
NODE_PAGE = ROOT / "docs" / "own-node.md"
FENCE = re.compile(r"(?ms)^```(\w+)(?: ([\w./-]+))?\n(.*?)^```$")


def blocks(page: Path, language: str) -> list[str]:
    return [text for lang, _, text in FENCE.findall(page.read_text("utf-8")) if lang == language]


@pytest.fixture
def site_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package of docs/adding-a-task.md, its files as the page names them."""
    for _, name, text in FENCE.findall(TASK_PAGE.read_text("utf-8")):
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "site_tasks" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for module in [name for name in sys.modules if name.partition(".")[0] in {"site_tasks", "test_cases"}]:
        del sys.modules[module]


def declared_task(folder: Path) -> AnyTask:
    """Load the task as the package's entry point says."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    ((name, entry),) = project["project"]["entry-points"]["maintainer.tasks"].items()
    module, _, attribute = entry.partition(":")
    task: AnyTask = getattr(importlib.import_module(module), attribute)()
    assert task.name == name
    return task


def test_the_example_task_decides_as_its_cases_say(site_tasks: Path) -> None:
    """The page's own test passes on each of the page's own cases, and they cover all three answers."""
    declared_task(site_tasks)
    tests: ModuleType = importlib.import_module("test_cases")
    assert {path.stem for path in tests.FILES} == {"changed", "quiet", "standby"}
    for path in tests.FILES:
        tests.test_decision(path)


def test_the_example_task_observes_what_its_facts_hold(site_tasks: Path) -> None:
    """Each observation is a field of the facts, and each placeholder of the query has its parameter."""
    task = declared_task(site_tasks)
    looks = task.observe(importlib.import_module("test_cases").NODE, task.params(window="night"))
    assert looks.keys() == task.facts.model_fields.keys() - {"observed_at", "asked_at"}
    query = looks["tables"]
    assert isinstance(query, SqlQuery)
    assert set(re.findall(r"%\((\w+)\)s", query.text)) == set(query.parameters)
    assert query.text.startswith("-- ")


def test_the_example_task_has_its_section(site_tasks: Path) -> None:
    """The section that the page tells to write is accepted beside an inventory, and the task then runs."""
    (inventory,) = (text for text in blocks(NODE_PAGE, "toml") if "[site]" in text)
    section = (site_tasks / "inventory").read_text("utf-8")
    tasks: Mapping[str, AnyTask] = {**register(), "site-analyze": declared_task(site_tasks)}
    loaded = parse_inventory(f"{inventory}\n{section}", "inventory.toml", tasks)
    assert ("pacs-a", "site-analyze") in {(one.node, one.task) for one in loaded.assignments}


def test_the_example_task_keeps_to_the_sdk(site_tasks: Path) -> None:
    """A third party's task needs nothing of ours but the sdk."""
    source = (site_tasks / "site_tasks" / "site_analyze.py").read_text("utf-8")
    assert set(re.findall(r"(?m)^(?:from|import) (maintainer\S*)(?: import (\w+))?", source)) == {("maintainer", "sdk")}


@pytest.mark.parametrize("page", [ROOT / "README.md", NODE_PAGE], ids=lambda page: page.name)
def test_whole_inventories_are_valid(page: Path) -> None:
    """What a page shows as an inventory has no mistake, and every task in it runs somewhere."""
    whole = [text for text in blocks(page, "toml") if "[site]" in text]
    assert whole
    for text in whole:
        loaded = parse_inventory(text, "inventory.toml", register())
        assert {one.task for one in loaded.assignments} == set(loaded.inventory.tasks)


def test_sections_to_add_are_valid() -> None:
    """Each section that docs/own-node.md adds later fits to its inventory; a group needs a second node."""
    whole, *more = blocks(NODE_PAGE, "toml")
    second = "".join(re.findall(r"(?ms)^\[nodes\.pacs-a(?:\.ssh)?\]\n.*?\n\n", whole)).replace("pacs-a", "pacs-b")
    assert len(more) > 1
    for section in more:
        loaded = parse_inventory(f"{whole}\n{second}\n{section}", "inventory.toml", register())
        assert set(loaded.inventory.nodes) == {"pacs-a", "pacs-b"}
