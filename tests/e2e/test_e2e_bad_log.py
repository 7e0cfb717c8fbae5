"""A log that cannot be written or trusted: exit code 74, the place, and no action performed on any node."""

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from maintainer.intervention_log.reserve import RESERVE_BYTES
from tests.e2e.driver import Answer, Controller, endings, environment, finished
from tests.e2e.evidence import differences, evidence
from tests.practice_fixture import Practice

CLEAN = ("run", "--task", "disk-cleanup")
VACUUM = ("run", "--task", "db-vacuum")
NO_ROOT = "mounting a small file system takes root"


def _limited(me: Controller, size: int, *words: str) -> Answer:
    """Run a command that cannot make any file larger than `size` bytes."""
    process = subprocess.Popen(
        me.argv(*words),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),  # noqa: PLW1509 (no thread holds a lock here)
    )
    return finished(process)


@pytest.fixture
def due(mended: Practice) -> Practice:
    """A practice PACS on which something is to be done."""
    mended.break_("full-spool")
    return mended


def _still_due(practice: Practice, me: Controller) -> None:
    """See that no file was moved, and that a plan still lists what a run would do."""
    assert len(me.json("plan", "--task", "disk-cleanup")["entries"][0]["answer"]["steps"]) == 2
    assert len(list(practice.layout.spool.glob("import-*"))) >= 300


@pytest.mark.fault(5)
def test_no_room_for_the_reserve(due: Practice, alone: Controller) -> None:
    """A new log that cannot set room aside for a last word starts nothing, and says how much it needs."""
    before = evidence(due)
    answer = _limited(alone, RESERVE_BYTES // 2, *CLEAN)
    assert differences(before, evidence(due)) == []
    assert answer.code == 74
    assert answer.stderr.startswith(f"{alone.state}/reserve: cannot reserve room for the log: File too large\n  → ")
    assert "ulimit -f" in answer.stderr
    _still_due(due, alone)
    assert alone.here(*CLEAN).code == 0


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """A file system of 1.5 MB: room for the reserve, an index and a night's records."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return filler


@pytest.mark.fault(5)
@pytest.mark.skipif(os.geteuid() != 0, reason=NO_ROOT)
def test_a_disk_that_has_filled_up(due: Practice, alone: Controller) -> None:
    """No intent is written, so nothing is done; once there is room, the log is whole and the work is done."""
    with _small_disk(alone.state):
        assert alone.here(*VACUUM).code == 0
        filler = _fill(alone.state)
        before = evidence(due)
        answer = alone.here(*CLEAN)
        assert differences(before, evidence(due)) == []
        assert (answer.code, answer.stdout) == (74, "")
        assert answer.stderr.startswith(f"{alone.state}")
        assert "make room on the filesystem of the state folder" in answer.stderr
        assert "intent" not in [record["kind"] for record in alone.records()]
        filler.unlink()
        _still_due(due, alone)
        assert alone.here("log", "verify").code == 0
        assert [ending for *_, ending in endings(alone.json(*CLEAN))] == ["done", "done"]


def _flip(line: int, part: bytes) -> Callable[[bytes], bytes]:
    """Change one bit of a line, in the first byte of `part`."""

    def edit(log: bytes) -> bytes:
        lines = log.splitlines(keepends=True)
        at = sum(map(len, lines[: line - 1])) + lines[line - 1].index(part)
        return log[:at] + bytes([log[at] ^ 1]) + log[at + 1 :]

    return edit


def _without(line: int) -> Callable[[bytes], bytes]:
    return lambda log: b"".join(text for n, text in enumerate(log.splitlines(keepends=True), 1) if n != line)


DAMAGES = {
    "a byte of the first record": (_flip(1, b"run-opened"), 1, "record 1 was edited or damaged"),
    "a byte of a decision": (_flip(2, b"db-vacuum"), 2, "record 2 was edited or damaged"),
    "a byte of a hash": (_flip(3, b'"hash":"'), 3, "record 3"),
    "a record removed": (_without(2), 2, "record 2"),
    "the last record removed": (_without(4), 4, "the log was cut: 4 records were signed, 3 are there"),
    "all removed": (lambda _: b"", 1, "the log was cut: 4 records were signed, 0 are there"),
}


@pytest.mark.fault(46)
def test_a_log_that_was_touched(due: Practice, alone: Controller) -> None:
    """Whatever relies on it ends with 74 and names line and record; a run performs nothing and adds nothing."""
    assert alone.here(*VACUUM).code == 0
    whole, before = alone.journal.read_bytes(), evidence(due)
    for name, (damage, line, sentence) in DAMAGES.items():
        alone.journal.write_bytes(touched := damage(whole))
        for words in (("log", "verify"), CLEAN, ("status",), ("log", "list"), ("log", "show", "1"), ("plan",)):
            answer = alone.here(*words)
            assert (answer.code, answer.stdout) == (74, ""), name
            assert answer.stderr.startswith(f"{alone.journal}:{line}: "), (name, answer.stderr)
            assert sentence in answer.stderr, name
            assert alone.journal.read_bytes() == touched, name
    alone.journal.write_bytes(DAMAGES["a byte of the first record"][0](whole))
    document = alone.json("log", "verify")
    assert (document["format"], document["exit"]) == ("maintainer.error/1", 74)
    assert differences(before, evidence(due)) == []
    alone.journal.write_bytes(whole)
    assert [ending for *_, ending in endings(alone.json(*CLEAN))] == ["done", "done"]


@pytest.mark.fault(6)
def test_a_record_that_a_crash_cut_off_is_set_aside(shared_practice: Practice, alone: Controller) -> None:
    """It was never acknowledged, so nothing is lost: the log says what it found, goes on, and verifies."""
    assert shared_practice.pacs.status()
    assert alone.here(*VACUUM).code == 0
    with alone.journal.open("ab") as log:
        log.write(b'{"seq":5,"prev":"')
    assert alone.here("log", "verify").code == 74
    assert [alone.here(*words).code for words in (("status",), ("log", "list"))] == [0, 0]
    assert alone.here(*VACUUM).code == 0
    torn = [record for record in alone.records() if record["kind"] == "torn"]
    assert [record["measured"]["bytes"] for record in torn] == [17]
    assert [path.read_bytes() for path in alone.state.glob("torn-*.bin")] == [b'{"seq":5,"prev":"']
    assert alone.here("log", "verify").code == 0


def test_a_damaged_index_is_made_anew(shared_practice: Practice, alone: Controller) -> None:
    """The index is a copy: with garbage in its place, everything still answers, and nothing is lost."""
    assert shared_practice.pacs.status()
    assert alone.here(*VACUUM).code == 0
    listed = alone.json("log", "list")
    (alone.state / "index.sqlite").write_bytes(b"garbage" * 1000)
    assert alone.json("log", "list") == listed
    assert alone.here(*VACUUM).code == 0


def test_the_log_of_another_site(shared_practice: Practice, alone: Controller) -> None:
    """A state folder that belongs to another site is not written to."""
    assert shared_practice.pacs.status()
    assert alone.here(*VACUUM).code == 0
    before = alone.journal.read_bytes()
    alone.edit('name = "practice"', 'name = "elsewhere"')
    answer = alone.here(*VACUUM)
    assert (answer.code, alone.journal.read_bytes()) == (74, before)
    assert "this log belongs to 'practice', not to 'elsewhere'" in answer.stderr


def test_a_file_in_place_of_the_state_folder(due: Practice, alone: Controller) -> None:
    """Said, with the path, by whatever would write there; nothing is done."""
    alone.state.write_text("not a folder")
    before = evidence(due)
    for words in (CLEAN, ("log", "note", "hello")):
        answer = alone.here(*words)
        assert answer.code == 74
        assert str(alone.state) in answer.stderr
    assert differences(before, evidence(due)) == []
