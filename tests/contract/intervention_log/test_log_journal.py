"""The durable file: what it looks like, what it goes on with, and who may write to it."""

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
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind
from tests.contract.intervention_log.notes import note, open_log


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
