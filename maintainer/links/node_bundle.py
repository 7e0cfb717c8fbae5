"""What of the node program travels with a look: the modules that its questions load, and their bytecode beside them.

Compiling is a third of what a look costs a node. One whose Python is another one than ours compiles the sources.
"""

import ast
import functools
import importlib.util
import io
import marshal
import threading
import zipfile
from collections.abc import Iterable, Iterator

_ALWAYS = ("entry", "kernel")
"""Where it begins, and what it loads by name: everything else is found by its imports."""
_PACKAGES = ("maintainer", "maintainer/node", "tasks", "tasks/node")
_UNCHECKED = b"\1\0\0\0"
"""Bytecode of exactly the source that lies beside it. Source: PEP 552."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ONE_AT_A_TIME = threading.Lock()


def bundle(zipapp: bytes, programs: Iterable[str]) -> bytes:
    """Take out of the program what these observing programs need; the same question has the same bytes."""
    with _ONE_AT_A_TIME:  # many threads ask at once, and for the same
        return _bundle(zipapp, frozenset(programs))


@functools.lru_cache(maxsize=32)
def _bundle(zipapp: bytes, programs: frozenset[str]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(zipapp)) as whole, zipfile.ZipFile(raw, "w", compresslevel=9) as part:
        for path, content in sorted(_members(whole, programs)):
            part.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return raw.getvalue()


def _members(whole: zipfile.ZipFile, programs: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    left = set(whole.namelist())
    wanted = [f"{package}/__init__" for package in _PACKAGES]
    wanted += [f"maintainer/node/{name}" for name in _ALWAYS]
    wanted += [f"{package}/observe_{name.replace('-', '_')}" for package in _PACKAGES for name in programs]
    while wanted:
        path = f"{wanted.pop()}.py"
        if path not in left:
            continue
        left.remove(path)
        source = whole.read(path)
        yield path, source
        try:
            tree = ast.parse(source)
            code = compile(tree, path, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError):
            continue  # the node says so when it is asked for
        head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
        yield f"{path}c", head + marshal.dumps(code)
        wanted += (name.replace(".", "/") for name in _imports(tree))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
