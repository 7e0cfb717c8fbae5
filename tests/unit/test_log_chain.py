"""The hash chain under attack: each attack is found, named and located."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.intervention_log import chain
from maintainer.intervention_log.chain import Break, ChainBroken, verify_lines
from maintainer.intervention_log.record import Kind, Record


def record(seq: int, prev: str, text: str) -> tuple[bytes, str]:
    fields = {"seq": seq, "prev": prev, "time": "2024-03-01T22:00:00.000000Z", "origin": "site-a", "text": text}
    return chain.seal(Record(**fields, kind=Kind.NOTE).body())


def chain_of(size: int) -> list[bytes]:
    lines, prev = [], chain.NO_HASH
    for seq in range(1, size + 1):
        line, prev = record(seq, prev, f"note {seq}")
        lines.append(line)
    return lines


LINES = chain_of(12)
ROOT = verify_lines(LINES).root
PLACES = st.integers(0, len(LINES) - 1)


def broken(lines: list[bytes]) -> ChainBroken:
    with pytest.raises(ChainBroken) as caught:
        verify_lines(lines)
    found = caught.value
    assert found.offset == sum(len(line) for line in lines[: found.line - 1])
    assert found.seq == found.line
    return found


def test_a_whole_chain_gives_its_size_and_root() -> None:
    """The root is the hash that the last line carries."""
    assert verify_lines(LINES) == (12, LINES[-1][-67:-3].decode())


def test_an_empty_log_is_whole() -> None:
    """A site that has not begun has nothing to prove."""
    assert verify_lines([]) == (0, chain.NO_HASH)


def test_a_chain_can_be_followed_from_its_middle() -> None:
    """Catching up needs the last known record only."""
    start = list(chain.walk(LINES[:5]))[-1]
    last = list(chain.walk(LINES[5:], start))[-1]
    assert (last.seq, last.hash, last.end) == (12, ROOT, len(b"".join(LINES)))


@given(where=st.integers(0, len(b"".join(LINES)) - 1), byte=st.integers(0, 255))
def test_no_byte_can_be_edited(where: int, byte: int) -> None:
    """Any byte, put to any other value, breaks the chain at the line that it stands in."""
    data = b"".join(LINES)
    edited = data[:where] + bytes([byte]) + data[where + 1 :]
    lines = list(io.BytesIO(edited))
    if edited == data:
        assert verify_lines(lines).root == ROOT
        return
    found = broken(lines)
    assert found.line == data[:where].count(b"\n") + 1
    assert found.how in {Break.EDITED, Break.TORN}


@given(where=st.integers(0, len(LINES) - 2), count=st.integers(1, 3))
def test_deleted_records_are_missed(where: int, count: int) -> None:
    """The first missing record is the one that is named."""
    lines = LINES[:where] + LINES[min(where + count, len(LINES) - 1) :]
    found = broken(lines)
    assert (found.how, found.line) == (Break.DELETED, where + 1)


@given(places=st.tuples(PLACES, PLACES).filter(lambda two: two[0] < two[1]))
def test_reordered_records_are_told_from_deleted_ones(places: tuple[int, int]) -> None:
    """Two records that changed places are found at the first of them."""
    first, second = places
    lines = list(LINES)
    lines[first], lines[second] = lines[second], lines[first]
    found = broken(lines)
    assert (found.how, found.line) == (Break.REORDERED, first + 1)


@given(places=st.tuples(PLACES, PLACES).filter(lambda two: two[0] <= two[1]))
def test_a_duplicate_is_found_where_it_stands(places: tuple[int, int]) -> None:
    """The same record once more, at once or later."""
    which, after = places
    lines = [*LINES[: after + 1], LINES[which], *LINES[after + 1 :]]
    found = broken(lines)
    assert (found.how, found.line) == (Break.DUPLICATED, after + 2)


@given(where=PLACES, step=st.sampled_from([1, -1]))
def test_a_fork_is_found_at_its_second_branch(where: int, step: int) -> None:
    """Two sound records of one number cannot both stand, in whichever order."""
    prev = LINES[where - 1][-67:-3].decode() if where else chain.NO_HASH
    other, _ = record(where + 1, prev, "another story")
    pair = [LINES[where], other][::step]
    found = broken([*LINES[:where], *pair, *LINES[where + 1 :]])
    assert (found.how, found.line) == (Break.FORKED, where + 2)


@given(where=st.integers(0, len(LINES) - 2))
def test_a_replaced_record_is_missed_by_its_successor(where: int) -> None:
    """A record that was rewritten and sealed anew is not the one that the next one continues."""
    prev = LINES[where - 1][-67:-3].decode() if where else chain.NO_HASH
    other, _ = record(where + 1, prev, "another story")
    found = broken([*LINES[:where], other, *LINES[where + 1 :]])
    assert (found.how, found.line) == (Break.REPLACED, where + 2)


@given(where=PLACES, line=st.binary(max_size=80).map(lambda data: data.replace(b"\n", b"") + b"\n"))
def test_a_foreign_line_is_told_from_an_edited_one(where: int, line: bytes) -> None:
    """A line that was put in leaves the records around it as they were."""
    found = broken([*LINES[:where], line, *LINES[where:]])
    assert (found.how, found.line) == (Break.INSERTED, where + 1)


@given(cut=st.integers(1, len(LINES[-1]) - 1))
def test_an_unfinished_record_is_torn(cut: int) -> None:
    """What a crash leaves behind is not taken for an attack."""
    found = broken([*LINES[:-1], LINES[-1][:cut]])
    assert (found.how, found.line) == (Break.TORN, 12)


def test_the_message_says_where_and_what_to_do() -> None:
    """A tired person reads one sentence, one place and one advice."""
    offset = len(b"".join(LINES[:3]))
    assert str(broken(LINES[:3] + LINES[5:])) == (
        f"line 4, byte {offset}, record 4: records 4 to 5 are missing before record 6\n"
        "  → keep this file as it is and compare it with a backup or an export: from here on it proves nothing"
    )
