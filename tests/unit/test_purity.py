"""What decides must not do: no module of these packages opens, connects, runs or waits."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PURE = [
    path
    for package in ("maintainer/model", "maintainer/planning", "maintainer/archives", "tasks")
    for path in sorted((ROOT / package).glob("*.py"))
]
MODULES = {
    "asyncio",
    "ctypes",
    "http",
    "os",
    "pathlib",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "urllib",
}
CALLS = {"open", "exec", "eval", "input", "print", "__import__"}


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_io(path: Path) -> None:
    """A pure module neither imports what touches the world nor calls it by name."""
    tree = ast.parse(path.read_text("utf-8"))
    assert _imported(tree) & MODULES <= ({"pathlib"} if path.name == "values.py" else set())
    assert _called(tree) & CALLS == set()


@pytest.mark.parametrize("text", ["import socket", "from subprocess import run", "open('x')", "time.sleep(1)"])
def test_the_check_itself_finds_io(text: str) -> None:
    """What the check is for is found by it."""
    tree = ast.parse(text)
    assert _imported(tree) & MODULES or _called(tree) & CALLS or "sleep" in _called(tree)


def test_a_task_tells_no_time() -> None:
    """Tasks take the time from their facts: asking a clock would make two dry runs differ."""
    clocks = {"now", "utcnow", "today", "time", "monotonic", "sleep"}
    for path in sorted((ROOT / "tasks").glob("*.py")):
        assert _called(ast.parse(path.read_text("utf-8"))) & clocks == set(), path


HARMFUL = re.compile(
    r"pg_terminate_backend|[\"']VACUUM[^\"']*\bFULL\b|bt_index_parent_check|REINDEX INDEX (?!CONCURRENTLY)"
)
"""What ends somebody's session, or keeps readers or writers of a table waiting."""


def test_no_statement_ends_a_session_or_locks_the_clinic_out() -> None:
    """Sessions are cancelled, and indexes rebuilt with CONCURRENTLY, wherever a statement of ours is written."""
    texts = [
        path for folder in ("maintainer/links", "maintainer/planning", "tasks") for path in (ROOT / folder).rglob("*")
    ]
    ours = [path for path in texts if path.suffix in {".py", ".sql"}]
    assert any("pg_cancel_backend" in path.read_text("utf-8") for path in ours)
    assert [path.name for path in ours if HARMFUL.search(path.read_text("utf-8"))] == []


def _imported(tree: ast.AST) -> set[str]:
    plain = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    return plain | {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def _called(tree: ast.AST) -> set[str]:
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {f.id for f in calls if isinstance(f, ast.Name)} | {f.attr for f in calls if isinstance(f, ast.Attribute)}
