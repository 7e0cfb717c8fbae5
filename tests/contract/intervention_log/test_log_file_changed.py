"""A file that is not as it was left: a torn end is set aside, and what somebody changed is not continued."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from maintainer.errors import LogError
from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind
from tests.contract.intervention_log.notes import journal, note, open_log


@pytest.mark.fault(6)
@pytest.mark.parametrize("rest", [b'{"seq":3', b"\0" * 5000, b'{"seq":3,\0\0\0"}\n', b"x"])
def test_a_torn_end_is_set_aside_and_said(tmp_path: Path, rest: bytes) -> None:
    """What a power cut left of a record is kept in a file of its own, and a record tells of it."""
    note(tmp_path, "one", "two")
    with journal(tmp_path).open("ab") as file:
        file.write(rest)
    with open_log(tmp_path) as log:
        (torn,) = log.records(Filter(kind=Kind.TORN))
        assert log.verify().size == 3
    (kept,) = tmp_path.glob("torn-*.bin")
    assert kept.read_bytes() == rest
    assert kept.name in torn.text
    assert torn.measured["bytes"] == len(rest)


def test_readers_leave_a_torn_end_alone(tmp_path: Path) -> None:
    """Asking changes nothing: the records before it are there, and verify says that it is torn."""
    note(tmp_path, "one", "two")
    with journal(tmp_path).open("ab") as file:
        file.write(b'{"seq":3')
    with InterventionLog.read(tmp_path) as log:
        assert [record.text for record in log.records()] == ["one", "two"]
        with pytest.raises(LogError, match="ends in the middle of a record"):
            log.verify()
    assert journal(tmp_path).read_bytes().endswith(b'{"seq":3')


def test_an_edited_last_record_is_not_taken_for_a_torn_one(tmp_path: Path) -> None:
    """Whole JSON with a wrong hash was touched by somebody: the log is not written to."""
    note(tmp_path, "one", "two")
    data = journal(tmp_path).read_bytes()
    journal(tmp_path).write_bytes(data.replace(b'"two"', b'"owt"'))
    with pytest.raises(LogError, match=rf"{journal(tmp_path)}:2: byte \d+, record 2: record 2 was edited"):
        open_log(tmp_path)


def test_an_end_without_any_newline_is_not_taken_for_a_torn_one(tmp_path: Path) -> None:
    """A crash leaves less than one record; more than that is somebody's work, and stays for him to explain."""
    note(tmp_path, "one")
    with journal(tmp_path).open("ab") as file:
        file.write(b"x" * 70_000)
    with pytest.raises(LogError, match="record 2"):
        open_log(tmp_path)


def test_another_sites_log_is_not_continued(tmp_path: Path) -> None:
    """A copied state folder does not mix two sites in one chain."""
    note(tmp_path, "one")
    with pytest.raises(LogError, match="belongs to 'site-a', not to 'site-b'"):
        InterventionLog.open(tmp_path, origin="site-b")


def test_a_link_in_the_logs_place_is_not_followed(tmp_path: Path) -> None:
    """Whoever can make links in the folder cannot have other files appended to."""
    target = tmp_path / "target"
    target.touch()
    state = tmp_path / "state"
    state.mkdir()
    journal(state).symlink_to(target)
    with pytest.raises(LogError, match="cannot open the intervention log"):
        open_log(state)


def cut(path: Path) -> None:
    os.truncate(path, 10)


def swap(path: Path) -> None:
    path.with_name("copy").write_bytes(path.read_bytes())
    path.with_name("copy").rename(path)


@pytest.mark.parametrize("change", [cut, swap, Path.unlink])
def test_a_log_that_changes_under_a_run_stops_it(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Cut, replaced or deleted while open: nothing more is written to it."""
    with open_log(tmp_path) as log:
        log.append(Kind.RUN_OPENED)
        change(journal(tmp_path))
        with pytest.raises(LogError, match=r"intervention log|while it was in use"):
            log.append(Kind.INTENT)
