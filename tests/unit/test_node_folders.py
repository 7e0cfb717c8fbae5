"""Which programs for nodes travel: those that lie in `node` beside each installed task."""

from pathlib import Path

import pytest

from maintainer.app.installed import node_folders, register


def test_a_package_brings_its_own_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder `node` of a third party's package goes along; a package without one brings nothing."""
    package = tmp_path / "third_party"
    (package / "node").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "node" / "observe_ups.py").write_text("def run(request, policy, deadline):\n    return {}\n")
    monkeypatch.syspath_prepend(tmp_path)
    stranger = type("Ups", (), {"__module__": "third_party.ups"})()
    alone = type("Alone", (), {"__module__": "single_file"})()
    folders = node_folders([*register().values(), stranger, alone])
    assert [Path(str(folder)).parent.name for folder in folders] == ["tasks", "third_party"]
