"""What travels with a look is what its questions load, no more, and the bytecode of exactly that."""

import importlib.util
import io
import marshal
import zipfile
from importlib.resources import files
from pathlib import Path

from maintainer.links.node_bundle import bundle
from maintainer.links.node_program import zipapp_bytes


def members(zipapp: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(zipapp)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_bytecode_is_of_the_source_beside_it() -> None:
    """Every module of the bundle is the program's own, and comes with what this Python makes of it."""
    program = zipapp_bytes([files("tasks.node")])
    whole, part = members(program), members(bundle(program, ["services"]))
    sources = {name: source for name, source in part.items() if name.endswith(".py")}
    assert {"maintainer/node/entry.py", "maintainer/node/observe_services.py"} <= sources.keys()
    assert sources == {name: whole[name] for name in sources}
    assert part.keys() - sources.keys() == {name + "c" for name in sources}
    for name, source in sources.items():
        raw = part[name + "c"]
        assert raw[:8] == importlib.util.MAGIC_NUMBER + b"\1\0\0\0"
        assert raw[8:16] == importlib.util.source_hash(source)
        code = marshal.loads(raw[16:])  # noqa: S302 (we wrote it a line above)
        assert code == compile(source, name, "exec", dont_inherit=True, optimize=0)


def test_only_what_the_asked_programs_load_travels() -> None:
    """A question pays for the way of its own program, and never for one that acts."""
    program = zipapp_bytes([files("tasks.node")])
    services, cleanup = (set(members(bundle(program, [name]))) for name in ("services", "cleanup"))
    assert {"maintainer/node/observe_cleanup.py", "maintainer/node/cleaning.py"} <= cleanup - services
    assert not [name for name in services | cleanup if "/act_" in name]
    assert len(bundle(program, ["services", "cleanup"])) < len(program)


def test_a_look_does_without_typing() -> None:
    """Loading it takes a node longer than all of our own modules."""
    looked = members(bundle(zipapp_bytes([files("tasks.node")]), ["services", "processes", "cleanup"]))
    assert not [name for name, source in looked.items() if name.endswith(".py") and b"typing" in source]


def test_what_is_imported_anywhere_in_a_program_travels(tmp_path: Path) -> None:
    """Also by a function, by a module that another one imports, and under its whole name."""
    (tmp_path / "observe_third.py").write_text("def run(request, policy, deadline):\n    from tasks.node import near\n")
    (tmp_path / "near.py").write_text("import os, tasks.node.far\n")
    (tmp_path / "far.py").write_text("")
    (tmp_path / "alien.py").write_text("")
    found = members(bundle(zipapp_bytes([tmp_path]), ["third"]))
    assert {"tasks/node/near.py", "tasks/node/far.py"} <= found.keys()
    assert "tasks/node/alien.py" not in found


def test_the_same_question_has_the_same_bytes() -> None:
    """It is made once for all nodes."""
    program = zipapp_bytes([files("tasks.node")])
    assert bundle(program, ["hello", "services"]) is bundle(program, ("services", "hello"))


def test_what_cannot_be_compiled_is_left_to_the_node(tmp_path: Path) -> None:
    """A broken program travels as it is, and one that is not there does not."""
    (tmp_path / "observe_broken.py").write_text("def run(:\n")
    found = members(bundle(zipapp_bytes([tmp_path]), ["broken", "no-such"]))
    assert "tasks/node/observe_broken.py" in found
    assert "tasks/node/observe_broken.pyc" not in found
