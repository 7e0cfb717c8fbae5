"""A disk that fails or has no room: what is still recorded, and what does not begin."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import LogError
from maintainer.intervention_log import lines
from maintainer.intervention_log.record import Kind
from tests.contract.intervention_log.notes import note, open_log


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
