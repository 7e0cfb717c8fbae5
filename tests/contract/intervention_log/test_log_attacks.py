"""Attacks on a log with signed checkpoints: the product and the stand-alone verifier find each, at the same place."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintainer.errors import LogError
from maintainer.intervention_log import chain, verifier
from maintainer.intervention_log.checkpoint import Checkpoint, SigningKey, signing_key
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, read_record
from tests.contract.intervention_log.attacked_log import (
    JOURNAL,
    LATEST,
    PUBLIC,
    both_find,
    lines_of,
    product_says,
    resealed,
    verifier_says,
    write,
)

RUNS, NOTES = 3, 4
SIZE = RUNS * (NOTES + 1)
THIEF = SigningKey("site-a", b"\x66" * 32)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of three runs, each with four notes and a checkpoint."""
    state = tmp_path_factory.mktemp("log") / "state"
    with InterventionLog.open(state, origin="site-a") as log:
        for run in range(RUNS):
            for number in range(NOTES):
                log.append(Kind.NOTE, run=f"r{run}", text=f"note {number}")
            log.checkpoint(f"r{run}")
    return state


@pytest.fixture
def state(honest: Path, tmp_path: Path) -> Path:
    """A copy of the honest log, to be attacked."""
    return Path(shutil.copytree(honest, tmp_path / "state"))


def test_both_say_that_an_honest_log_is_whole(state: Path) -> None:
    """With and without the kept key."""
    kept = state / PUBLIC
    assert (product_says(state, kept.read_text()), verifier_says(state, kept)) == ("", "")
    with InterventionLog.read(state) as log:
        found = log.verify()
    assert (found.size, found.checkpoints, found.unsigned) == (SIZE, RUNS, 0)
    assert f"{SIZE} records, {RUNS} checkpoints" in verifier.verify(state / JOURNAL, None)
    assert found.root in verifier.verify(state / JOURNAL, None)


@pytest.mark.fault(46)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(data=st.data())
def test_no_byte_can_be_edited_and_both_say_where(state: Path, honest: Path, data: st.DataObject) -> None:
    """Any byte of the whole file."""
    whole = (honest / JOURNAL).read_bytes()
    where = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != whole[where]))
    (state / JOURNAL).write_bytes(whole[:where] + bytes([byte]) + whole[where + 1 :])
    assert f"{JOURNAL}:{whole[:where].count(10) + 1}: " in both_find(state)


def delete(lines: list[bytes]) -> list[bytes]:
    return lines[:3] + lines[4:]


def reorder(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[6], *lines[4:6], lines[3], *lines[7:]]


def duplicate(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], lines[3], *lines[4:]]


def fork(lines: list[bytes]) -> list[bytes]:
    other = read_record(lines[3]).model_copy(update={"text": "another story"})
    return [*lines[:4], chain.seal(other.body())[0], *lines[4:]]


def replace_one(lines: list[bytes]) -> list[bytes]:
    other = read_record(lines[1]).model_copy(update={"text": "another story"})
    return [lines[0], chain.seal(other.body())[0], *lines[2:]]


def insert(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], b"not a record\n", *lines[3:]]


def tear(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1][:50]]


@pytest.mark.parametrize(
    ("attack", "line", "what"),
    [
        (delete, 4, "record 4 is missing before record 5"),
        (reorder, 4, "record 7 stands where record 4 belongs, which comes later"),
        (duplicate, 5, "record 4 stands here a second time"),
        (fork, 5, "a second, different record 4 stands here"),
        (replace_one, 3, "record 3 does not follow the record before it: one of the two was replaced"),
        (insert, 4, "a line that is not of this log was put in before record 4"),
        (tear, SIZE, "the log ends in the middle of a record"),
    ],
)
def test_each_attack_on_the_chain_is_named(
    state: Path, attack: Callable[[list[bytes]], list[bytes]], line: int, what: str
) -> None:
    """Deleted, reordered, duplicated, forked, replaced, inserted and torn are told apart."""
    write(state, attack(lines_of(state)))
    said = both_find(state)
    assert f"{JOURNAL}:{line}: byte" in said
    assert what in said


@pytest.mark.fault(46)
@pytest.mark.parametrize("keep", range(SIZE))
def test_a_cut_tail_is_found_by_the_last_checkpoint(state: Path, keep: int) -> None:
    """Cut anywhere, the last checkpoint record alone included; the next run refuses as well."""
    write(state, lines_of(state)[:keep])
    assert f"the log was cut: {SIZE} records were signed, {keep} are there" in both_find(state)
    with pytest.raises(LogError, match="the log was cut"):
        InterventionLog.open(state, origin="site-a")


def test_a_deleted_log_is_found(state: Path) -> None:
    """What was signed cannot simply be gone."""
    (state / JOURNAL).unlink()
    assert f"{SIZE} records were signed, 0 are there" in product_says(state)


@pytest.mark.fault(46)
def test_a_chain_that_was_computed_anew_is_found_at_the_next_checkpoint(state: Path) -> None:
    """Without the key, all hashes made right are not enough."""
    lines = lines_of(state)
    write(state, resealed([*lines[:6], *lines[7:]]))
    said = both_find(state)
    assert f"{JOURNAL}:9: byte" in said
    assert "the log was rewritten" in said


@pytest.mark.fault(46)
def test_a_rewritten_last_run_without_its_checkpoint_is_found(state: Path) -> None:
    """The checkpoint file speaks for the records of the last run too."""
    lines = lines_of(state)
    note = lines[SIZE - 2].replace(b"note 3", b"note X")
    write(state, resealed([*lines[: SIZE - 2], note, note]))
    said = both_find(state)
    assert f"{JOURNAL}:{SIZE}: " in said
    assert "the log was rewritten" in said


@pytest.mark.fault(46)
def test_a_swapped_key_is_found_by_a_kept_one(state: Path, honest: Path) -> None:
    """Everything rewritten and signed with another key: only a copy of the public key tells."""
    lines = resealed(lines_of(state), THIEF)
    write(state, lines)
    last = read_record(lines[-1])
    (state / LATEST).write_text(THIEF.sign(Checkpoint("site-a", last.seq, last.hash)))
    (state / PUBLIC).write_text(THIEF.public.text())
    assert (product_says(state), verifier_says(state)) == ("", "")
    said = both_find(state, honest / PUBLIC)
    assert "the log's key was swapped" in said


@pytest.mark.fault(46)
def test_a_swapped_key_alone_is_found_by_the_signatures(state: Path) -> None:
    """A public key that has signed nothing here."""
    (state / PUBLIC).write_text(THIEF.public.text())
    assert "is not signed by the key" in both_find(state)
    with pytest.raises(LogError, match="does not belong to the public key"):
        InterventionLog.open(state, origin="site-a")


def test_a_missing_checkpoint_file_is_found(state: Path) -> None:
    """Deleting it does not hide a cut, as long as one checkpoint is left in the log."""
    (state / LATEST).unlink()
    write(state, lines_of(state)[:7])
    assert "the last signed checkpoint is gone" in both_find(state)


def test_a_missing_public_key_is_found(state: Path) -> None:
    """Signatures that nobody can check are no proof."""
    (state / PUBLIC).unlink()
    assert "public key is gone" in both_find(state)


def test_a_missing_signing_key_is_not_made_anew(state: Path) -> None:
    """A new key would cut off what the old one proves."""
    (state / "log-signing.key").unlink()
    (state / PUBLIC).unlink()
    with pytest.raises(LogError, match="signing key is gone"):
        InterventionLog.open(state, origin="site-a")


def test_an_old_disk_restored_whole_needs_a_witness(state: Path) -> None:
    """What both cannot see by themselves: the caller compares size and root with what the nodes were shown."""
    lines = lines_of(state)[: SIZE - NOTES - 1]
    write(state, lines)
    key = signing_key(state, "site-a")
    (state / LATEST).write_text(key.sign(Checkpoint("site-a", len(lines), read_record(lines[-1]).hash)))
    with InterventionLog.read(state) as log:
        assert log.verify().size == SIZE - NOTES - 1 < SIZE


def test_a_crash_between_checkpoint_and_its_file_is_set_right(state: Path) -> None:
    """The next writer signs the end that the crash left unsigned."""
    newest = (state / LATEST).read_text()
    with InterventionLog.open(state, origin="site-a") as log:
        log.checkpoint("r3")
    (state / LATEST).write_text(newest)
    InterventionLog.open(state, origin="site-a").close()
    assert (state / LATEST).read_text().splitlines()[1] == str(SIZE + 1)


@pytest.mark.fault(46)
def test_a_sealed_line_that_is_no_record_is_refused_by_both(state: Path) -> None:
    """Hashes made right do not make a record."""
    lines = lines_of(state)
    prev = read_record(lines[-1]).hash
    line, _ = chain.seal(b'{"seq":%d,"prev":"%b","kind":"checkpoint","text":[[' % (SIZE + 1, prev.encode()))
    write(state, [*lines, line])
    assert "record" in product_says(state)
    assert "not a record" in verifier_says(state)


def test_the_verifier_runs_by_itself(state: Path, tmp_path: Path) -> None:
    """Copied elsewhere, without the product on its path, it says one sentence and ends with 0 or 1."""
    alone = shutil.copy(verifier.__file__, tmp_path / "verifier.py")
    command = [sys.executable, "-I", "-S", alone, str(state / JOURNAL), "--key", str(state / PUBLIC)]
    fine = subprocess.run(command, capture_output=True, text=True, check=False)
    write(state, delete(lines_of(state)))
    wrong = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (fine.returncode, wrong.returncode) == (0, 1)
    assert fine.stdout.startswith(f"{JOURNAL} is whole: {SIZE} records")
    assert wrong.stdout.startswith(f"NOT WHOLE: {JOURNAL}:4: byte")
    assert (fine.stdout.count("\n"), wrong.stdout.count("\n"), fine.stderr + wrong.stderr) == (1, 1, "")


def test_a_log_that_was_just_begun_is_whole_and_its_loss_is_found(tmp_path: Path) -> None:
    """A signed statement is there from the first moment: before any record both say whole, without it both say gone."""
    state = tmp_path / "state"
    InterventionLog.open(state, origin="site-a").close()
    assert product_says(state) == verifier_says(state) == ""
    (state / LATEST).unlink()
    assert "the last signed checkpoint is gone" in product_says(state)
    assert "the last signed checkpoint is gone" in verifier_says(state)
