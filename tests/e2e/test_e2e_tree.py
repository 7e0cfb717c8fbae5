"""A node with a plain tree of files and no database: looked at, read for some nights, worked through by a person."""

import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import Exit
from tests.e2e.driver import controller, endings, findings, steps
from tests.e2e.evidence import differences, evidence, store
from tests.e2e.nights import TASK, Nights
from tests.practice_fixture import Practice

OTHERS = (
    r"nodes\.practice\.(?:database|dicom|services\.\w+|cleanup\.\w+)|tasks\.(?:db-\w+|service-restart|disk-cleanup)"
)


@pytest.fixture
def nights(practice: Practice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    """The practice PACS, of which the controller knows a copy of its store and nothing else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(practice.layout.store, tmp_path / "tree")
    me = controller(tmp_path, {"practice": practice})
    text = re.sub(rf"(?ms)^\[({OTHERS})\].*?(?=^(?:# )?\[)", "", me.inventory.read_text())
    text = text.replace('archive = "practice"', 'archive = "tree"')
    me.inventory.write_text(text.replace(f'path = "{practice.layout.store}"', f'path = "{tmp_path / "tree"}"'))
    return Nights(practice, me)


def test_nights_over_a_tree_without_a_database(nights: Nights, tmp_path: Path) -> None:
    """The plan leaves no trace, the first night reads all of it, and the second tells what became of it since."""
    before = evidence(nights.practice)
    plan = nights.plan()
    assert differences(before, evidence(nights.practice)) == []
    ((_, _, title),) = steps(plan)
    assert title == "read as much of the store as the time allows, the fresh first, then the oldest reading"
    checked = nights.me.here("check").stdout
    assert "database" not in checked
    assert "tree" in checked

    objects = store(nights.practice)
    newest = max(path.stat().st_ctime for path in (tmp_path / "tree").rglob("*"))
    while time.time() < newest + 1.1:  # the grace of the practice PACS
        time.sleep(0.1)
    run = nights.run()
    assert [ending for *_, ending in endings(run)] == ["done"]
    measured = measured_of(run)
    assert (measured["new"], measured["objects"], measured["stopped"]) == (116, 116, "nothing-left")
    assert "100% within 1h" in nights.me.here("status").stdout
    assert store(nights.practice) == objects

    modified, missing, *_ = sorted(path for path in (tmp_path / "tree").rglob("*") if path.is_file())
    modified.write_bytes(modified.read_bytes()[:-1] + b"x")
    missing.unlink()
    nights.next()
    run = nights.run()
    told = {cause: nights.me.json("log", "reveal", name)["is"] for _, cause, name in findings(run["tasks"])}
    assert told == {
        "object-modified": str(modified.relative_to(tmp_path / "tree")),
        "object-missing": str(missing.relative_to(tmp_path / "tree")),
    }

    for _, _, name in findings(run["tasks"]):
        assert nights.me.here("store", "ack", name, "--why", "edited on purpose").code == Exit.FINE
    nights.next()
    assert nights.me.here("run", *TASK).code == Exit.FINE
    assert len(findings(nights.plan()["entries"])) == 2
    accept_all(nights)
    modified.write_bytes(modified.read_bytes()[:-1] + b"y")
    nights.next()
    changed = nights.me.here("run", "--json", *TASK)
    assert (changed.code, measured_of(changed.document)["accepted"]) == (Exit.TROUBLE, 1)
    ((_, cause, name),) = findings(nights.plan()["entries"])
    assert (cause, nights.me.json("log", "reveal", name)["is"]) == ("object-modified", told["object-modified"])
    shown = nights.me.here("store", "show", name).stdout
    assert "was otherwise than this is now" in shown.replace("\n", " ")
    assert "acknowledged by" not in shown

    accept_all(nights)
    nights.next()
    run = nights.run()
    measured = measured_of(run)
    assert (measured["accepted"], measured["gone"], measured["new"]) == (1, 0, 0)
    assert findings(nights.plan()["entries"]) == []
    assert nights.me.json("log", "verify")["verified"] is True


def accept_all(nights: Nights) -> None:
    for _, _, name in findings(nights.plan()["entries"]):
        assert nights.me.here("store", "ack", name, "--why", "edited on purpose", "--accept").code == Exit.FINE


def measured_of(run: dict[str, Any]) -> dict[str, Any]:
    measured: dict[str, Any] = run["tasks"][0]["steps"][0]["ending"]["measured"]
    return measured
