"""Bytecode is added to the program and nothing taken away; what it is of is decided by the programs that are asked."""

import importlib.util
import io
import marshal
import zipfile
from importlib.resources import files
from pathlib import Path

from maintainer.links.node_bytecode import with_bytecode
from maintainer.links.node_program import zipapp_bytes


def members(zipapp: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(zipapp)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_what_is_added_is_the_bytecode_of_what_is_there() -> None:
    """All sources stay as they are; each added member is this Python's, of exactly the source beside it."""
    program = zipapp_bytes([files("tasks.node")])
    before, after = members(program), members(with_bytecode(program, ["services"]))
    added = {name: after[name] for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert {"maintainer/node/entry.pyc", "maintainer/node/observe_services.pyc"} <= set(added)
    for name, raw in added.items():
        source = before[name[:-1]]
        assert raw[:8] == importlib.util.MAGIC_NUMBER + b"\1\0\0\0"
        assert raw[8:16] == importlib.util.source_hash(source)
        code = marshal.loads(raw[16:])  # noqa: S302 (we wrote it a line above)
        assert code == compile(source, name[:-1], "exec", dont_inherit=True, optimize=0)


def test_only_what_the_asked_programs_load_is_added() -> None:
    """A question pays for the way of its own program, and never for one that acts."""
    program = zipapp_bytes([files("tasks.node")])
    services, cleanup = (set(members(with_bytecode(program, [name]))) for name in ("services", "cleanup"))
    assert "maintainer/node/observe_cleanup.pyc" in cleanup - services
    assert "maintainer/node/cleaning.pyc" in cleanup - services
    assert not [name for name in services | cleanup if "/act_" in name and name.endswith(".pyc")]


def test_the_same_question_has_the_same_bytes() -> None:
    """It is made once for all nodes."""
    program = zipapp_bytes([files("tasks.node")])
    assert with_bytecode(program, ["hello", "services"]) is with_bytecode(program, ("services", "hello"))


def test_what_cannot_be_compiled_is_left_to_the_node(tmp_path: Path) -> None:
    """A broken program, one that is not there, or no program at all: what there is travels as it is."""
    (tmp_path / "observe_broken.py").write_text("def run(:\n")
    program = zipapp_bytes([tmp_path])
    after = members(with_bytecode(program, ["broken", "no-such"]))
    assert "tasks/node/observe_broken.py" in after
    assert "tasks/node/observe_broken.pyc" not in after
    assert with_bytecode(b"no zip", ["hello"]) == b"no zip"
