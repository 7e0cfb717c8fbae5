"""Finding one record in the file, without reading all that is before it."""

from pathlib import Path

import pytest

from maintainer.intervention_log.chain import ChainBroken
from maintainer.intervention_log.journal import JOURNAL
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record


def _notes(state: Path, *texts: str) -> list[Record]:
    with InterventionLog.open(state, origin="site-a") as log:
        return [log.append(Kind.NOTE, text=text) for text in texts]


def test_a_record_is_found_by_its_number_wherever_it_is(tmp_path: Path) -> None:
    """Each of them, be the others long or short, and none that is not there."""
    written = _notes(tmp_path, *("x" * length for length in (1, 50_000, 3, 1, 20_000, 1, 1, 1, 1000)))
    with InterventionLog.read(tmp_path) as log:
        assert [log.hash_of(record.seq) for record in written] == [record.hash for record in written]
        assert [log.hash_of(seq) for seq in (0, len(written) + 1, 10**9)] == ["0" * 64, None, None]


def test_no_log_has_no_record(tmp_path: Path) -> None:
    """As on the first night."""
    with InterventionLog.read(tmp_path) as log:
        assert (log.hash_of(0), log.hash_of(1)) == ("0" * 64, None)


def test_a_broken_record_on_the_way_is_told(tmp_path: Path) -> None:
    """A search that comes upon it is not the one to say how the log broke, and does not say that all is well."""
    _notes(tmp_path, *(str(number) for number in range(9)))
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b'"text":"4"', b'"text":"5"'))
    with InterventionLog.read(tmp_path) as log, pytest.raises(ChainBroken):
        log.hash_of(5)
