"""The durable file: what it looks like, what sets it right after a crash, and what makes it stop."""

import errno
import os
import stat
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import LogError
from maintainer.intervention_log import lines
from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record


def open_log(state: Path) -> InterventionLog:
    return InterventionLog.open(state, origin="site-a")


def note(state: Path, *texts: str) -> list[Record]:
    with open_log(state) as log:
        return [log.append(Kind.NOTE, text=text) for text in texts]


def journal(state: Path) -> Path:
    return state / "interventions.jsonl"


def test_everything_is_its_owners_alone(tmp_path: Path) -> None:
    """The folder is 0700 and every file in it 0600, whatever the umask."""
    before = os.umask(0)
    try:
        with open_log(tmp_path / "state") as log:
            log.append(Kind.RUN_OPENED, run="r1")
            log.checkpoint("r1")
            list(log.records())
    finally:
        os.umask(before)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "state", *(tmp_path / "state").iterdir()]
    }
    assert modes == {
        "state": 0o700,
        **dict.fromkeys(
            ["interventions.jsonl", "index.sqlite", "checkpoint.txt", "log-signing.key", "log-signing.pub", "reserve"],
            0o600,
        ),
    }


def test_a_folder_that_the_sysadmin_made_keeps_its_mode(tmp_path: Path) -> None:
    """Somebody gave a backup group access on purpose."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o750)
    note(state, "one")
    assert stat.S_IMODE(state.stat().st_mode) == 0o750


def watch(monkeypatch: pytest.MonkeyPatch, names: list[str]) -> list[str]:
    """List the system calls of these names as they are made, each with the file that it is about."""
    made: list[str] = []

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *rest: Any) -> Any:
            made.append(f"{name} {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
            return real(descriptor, *rest)

        return call

    for name in names:
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
    return made


def test_a_record_is_one_write_and_on_disk_before_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is acknowledged from a cache: the effect comes after the disk has the intent."""
    with open_log(tmp_path) as log:
        made = watch(monkeypatch, ["write", "fdatasync"])
        log.append(Kind.INTENT)
        assert made == ["write interventions.jsonl", "fdatasync interventions.jsonl"]


def test_a_new_logs_name_is_on_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut must not lose the file whose content was synced."""
    made = watch(monkeypatch, ["fsync"])
    open_log(tmp_path / "state").close()
    assert made.count("fsync state") >= 4  # log, reserve and both keys
    assert any(call.endswith(tmp_path.name) for call in made)  # the state folder's own name


def test_opening_again_goes_on_where_the_log_ended(tmp_path: Path) -> None:
    """Numbers and hashes continue over runs."""
    first, second = note(tmp_path, "one"), note(tmp_path, "two")
    assert (second[0].seq, second[0].prev) == (2, first[0].hash)


def test_time_is_the_clocks(tmp_path: Path) -> None:
    """A record's time comes from the clock that the log was opened with, in UTC."""
    local = datetime(2024, 3, 1, 23, tzinfo=timezone(timedelta(hours=1)))
    with InterventionLog.open(tmp_path, origin="site-a", clock=lambda: local) as log:
        assert log.append(Kind.NOTE).time == "2024-03-01T22:00:00.000000Z"


def test_an_intent_is_given_an_id(tmp_path: Path) -> None:
    """Each intent can be told from all others, also after an old disk was restored."""
    with open_log(tmp_path) as log:
        ids = {log.append(Kind.INTENT).step for _ in range(3)}
        assert log.append(Kind.INTENT, step="mine").step == "mine"
    assert len(ids) == 3
    assert all(len(one) == len("step-") + 16 for one in ids)


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


def test_what_others_wrote_meanwhile_is_continued(tmp_path: Path) -> None:
    """A note written during a run stands between the run's records."""
    with open_log(tmp_path) as run:
        run.append(Kind.RUN_OPENED)
        (between,) = note(tmp_path, "disk replaced")
        closed = run.append(Kind.RUN_CLOSED)
        assert (closed.seq, closed.prev) == (3, between.hash)
        assert run.verify().size == 3


def test_threads_share_one_log(tmp_path: Path) -> None:
    """Nodes are worked on at the same time and write to one chain."""
    with open_log(tmp_path) as log:
        threads = [
            threading.Thread(target=lambda: [log.append(Kind.NOTE) for _ in range(50)], daemon=True) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert log.verify().size == 200


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


def fails_with(code: int) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.fault(4)
def test_after_a_disk_error_the_descriptor_is_never_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel reports a lost page once only; a second fdatasync would say that all is well."""
    with open_log(tmp_path) as log:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fails_with(errno.EIO))
            with pytest.raises(LogError, match="Input/output error") as caught:
                log.append(Kind.INTENT)
        assert "do not trust this disk" in caught.value.hint
        assert caught.value.exit == 74
        with pytest.raises(LogError, match="stopped after a disk error"):
            log.append(Kind.RUN_CLOSED)


@pytest.mark.fault(4)
def test_a_disk_error_lets_others_have_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken journal does not hold up a person who writes a note about it."""
    with open_log(tmp_path) as log:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fails_with(errno.EIO))
            with pytest.raises(LogError):
                log.append(Kind.INTENT)
        monkeypatch.setattr(lines, "PATIENCE", 0.0)
        assert note(tmp_path, "the disk of the controller is failing")


@pytest.mark.fault(6)
def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take a few bytes at a time; the record is whole all the same."""
    real = os.write
    with open_log(tmp_path) as log:
        monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:7])))
        log.append(Kind.NOTE, text="in small pieces")
        assert log.verify().size == 1


def disk_of(room: int, real: Callable[[int, bytes], int], reserve: Path) -> Callable[[int, bytes], int]:
    """Play a disk that has room for `room` bytes, and a megabyte more once the reserve is gone."""
    left = room

    def write(descriptor: int, data: bytes) -> int:
        nonlocal left
        room_now = left + (0 if reserve.exists() else 1_000_000)
        if room_now <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(descriptor, bytes(data[:room_now]))
        left -= written
        return written

    return write


@pytest.mark.fault(5)
def test_without_room_no_intent_and_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An intent never uses the reserve, and what was written of it is taken back."""
    with open_log(tmp_path) as log:
        log.append(Kind.RUN_OPENED)
        monkeypatch.setattr(os, "write", disk_of(100, os.write, tmp_path / "reserve"))
        with pytest.raises(LogError, match="No space left"):
            log.append(Kind.INTENT)
        assert log.verify().size == 1
        assert (tmp_path / "reserve").exists()


@pytest.mark.fault(5, 7)
def test_without_room_an_ending_is_carried_by_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reserve is given up for the record that says how it ended."""
    with open_log(tmp_path) as log:
        intent = log.append(Kind.INTENT)
        monkeypatch.setattr(os, "write", disk_of(100, os.write, tmp_path / "reserve"))
        log.append(Kind.OUTCOME, step=intent.step, ending="done")
        assert not (tmp_path / "reserve").exists()
        assert log.open_intents() == ()
        assert log.verify().size == 2


@pytest.mark.fault(5)
def test_without_room_for_the_reserve_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log does not open, and no action starts."""
    monkeypatch.setattr(os, "posix_fallocate", fails_with(errno.ENOSPC))
    with pytest.raises(LogError, match="no room for the intervention log: nothing was done") as caught:
        open_log(tmp_path)
    assert caught.value.exit == 74
    assert not (tmp_path / "reserve").exists()


def test_a_log_held_for_too_long_is_an_error_that_says_how_to_find_the_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process must not hang the night for ever."""
    with open_log(tmp_path) as holder, open_log(tmp_path) as other:
        monkeypatch.setattr(lines, "PATIENCE", 0.0)
        assert holder._journal is not None
        with holder._journal.alone(), pytest.raises(LogError, match="another process has held the log") as caught:
            other.append(Kind.NOTE)
    assert "fuser" in caught.value.hint


def test_a_closed_log_is_not_written_to(tmp_path: Path) -> None:
    """Using it after its end is said plainly."""
    log = open_log(tmp_path)
    log.close()
    with pytest.raises(LogError, match="closed"):
        log.append(Kind.NOTE)


def test_a_log_for_reading_refuses_to_write(tmp_path: Path) -> None:
    """A dry run holds no pen."""
    with pytest.raises(LogError, match="opened for reading"):
        InterventionLog.read(tmp_path).append(Kind.NOTE)


def test_reading_where_nothing_is_makes_nothing(tmp_path: Path) -> None:
    """Before the first run the log is empty, and asking does not begin it."""
    state = tmp_path / "state"
    with InterventionLog.read(state) as log:
        assert list(log.records()) == []
        assert (log.open_intents(), log.last_run(), log.history("a", "b"), log.record(1)) == ((), None, {}, None)
        with pytest.raises(LogError, match="there is no intervention log here"):
            log.verify()
    assert not state.exists()
