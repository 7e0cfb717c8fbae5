"""Handing the log over: whole, readable and verifiable elsewhere."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from maintainer.errors import LogError, UsageError
from maintainer.intervention_log.export import export_log
from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A signed log of three notes."""
    with InterventionLog.open(tmp_path / "state", origin="site-a") as log:
        log.append(Kind.NOTE, node="pacs-a", text="disk replaced", measured={"hours": 2})
        log.append(Kind.NOTE, node="pacs-b", text="=cmd|' /C calc'!A0")
        log.append(Kind.NOTE, node="pacs-a", text='says "fine",\nin two lines')
        log.checkpoint("r1")
    return tmp_path / "state"


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "selected.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_what_was_exported_verifies_by_itself(state: Path, tmp_path: Path) -> None:
    """The folder holds all that an auditor needs, and the program to check it with."""
    export_log(state, tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-I", "verifier.py", "interventions.jsonl"],
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "is whole: 4 records, 1 checkpoints" in done.stdout


def test_the_private_keys_stay(state: Path, tmp_path: Path) -> None:
    """What goes out cannot sign, and cannot resolve pseudonyms."""
    export_log(state, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "checkpoint.txt",
        "interventions.jsonl",
        "log-signing.pub",
        "selected.csv",
        "selected.jsonl",
        "verifier.py",
    ]


def test_a_selection_goes_beside_the_whole_log(state: Path, tmp_path: Path) -> None:
    """A part of a chain proves nothing, so the whole goes along."""
    done = export_log(state, tmp_path / "out", Filter(node="pacs-a", kind=Kind.NOTE))
    assert (done.size, done.selected) == (4, 2)
    assert [row["text"] for row in rows(tmp_path / "out")] == ["disk replaced", 'says "fine",\nin two lines']
    assert rows(tmp_path / "out")[0]["measured"] == '{"hours": 2}'
    whole = (tmp_path / "out" / "interventions.jsonl").read_bytes()
    assert whole == (state / "interventions.jsonl").read_bytes()
    assert (tmp_path / "out" / "selected.jsonl").read_bytes().count(b"\n") == 2


def test_the_newest_are_kept_when_there_is_a_limit(state: Path, tmp_path: Path) -> None:
    """As in `log list`."""
    export_log(state, tmp_path / "out", Filter(limit=1))
    assert [row["kind"] for row in rows(tmp_path / "out")] == ["checkpoint"]


def test_a_spreadsheet_runs_nothing(state: Path, tmp_path: Path) -> None:
    """A note that looks like a formula stays a text."""
    export_log(state, tmp_path / "out", Filter(node="pacs-b"))
    assert rows(tmp_path / "out")[0]["text"] == "'=cmd|' /C calc'!A0"


def test_nothing_is_overwritten(state: Path, tmp_path: Path) -> None:
    """A folder that holds anything is refused, and left as it is."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(UsageError, match="not empty"):
        export_log(state, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_broken_log_is_not_selected_from(state: Path, tmp_path: Path) -> None:
    """The place is named, so that the auditor asks before trusting."""
    journal = state / "interventions.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"disk replaced", b"disk repaired"))
    with pytest.raises(LogError, match="record 1 was edited"):
        export_log(state, tmp_path / "out")
