"""Handing the log to somebody else: an auditor, a vendor, another computer."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from maintainer.errors import UsageError
from maintainer.intervention_log import verifier
from maintainer.intervention_log.checkpoint import LATEST, PUBLIC_KEY
from maintainer.intervention_log.durable_file import explained
from maintainer.intervention_log.filter import ALL, Filter
from maintainer.intervention_log.journal import JOURNAL
from maintainer.intervention_log.lines import Lines, follow
from maintainer.intervention_log.record import Record, read_record

SELECTED, TABLE = "selected.jsonl", "selected.csv"
COLUMNS = tuple(Record.model_fields)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Export:
    """What was written: the folder, how many records the whole log has and how many of them were selected."""

    folder: Path
    size: int
    selected: int


def export_log(state: Path, destination: Path, where: Filter = ALL) -> Export:
    """Write a folder: the whole log, checkpoint, public key and verifier; and what `where` selects, as JSON and CSV.

    The whole log goes along whatever was selected, because only the whole chain can be verified.

    Raises:
        UsageError: the destination holds something already.
        LogError: the log is broken, or the folder cannot be written.
    """
    with explained(destination, "export the log"):
        destination.mkdir(parents=True, exist_ok=True)
        if any(destination.iterdir()):
            raise UsageError("this folder is not empty", where=str(destination), hint="name a new folder")
        _copy_beside(state, destination)
        size = _write(destination / JOURNAL, Lines(state / JOURNAL))
        selected = _write(destination / SELECTED, _selected(destination / JOURNAL, where))
        _write(destination / TABLE, _table(read_record(line) for line in Lines(destination / SELECTED)))
    return Export(folder=destination, size=size, selected=selected)


def _copy_beside(state: Path, destination: Path) -> None:
    """Copy what is needed to verify, before the log, which may grow meanwhile."""
    for name in (LATEST, PUBLIC_KEY):
        if (state / name).exists():
            (destination / name).write_bytes((state / name).read_bytes())
    (destination / "verifier.py").write_bytes(Path(verifier.__file__).read_bytes())


def _write(path: Path, lines: Iterable[bytes]) -> int:
    count = 0
    with path.open("xb") as file:
        for count, line in enumerate(lines, 1):  # noqa: B007 (the count is the answer)
            file.write(line)
    return count


def _selected(whole: Path, where: Filter) -> Iterator[bytes]:
    found = [link.line for link in follow(whole) if where.matches(read_record(link.line))]
    yield from found[-where.limit :] if where.limit else found


def _table(records: Iterable[Record]) -> Iterator[bytes]:
    yield _row(COLUMNS)
    for record in records:
        fields = record.model_dump(mode="json")
        yield _row(_cell(fields[name]) for name in COLUMNS)


def _cell(value: object) -> str:
    if value in (None, {}):
        return ""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    # A spreadsheet would run it as a formula. Source: OWASP, "CSV Injection".
    return f"'{value}" if value.startswith(_FORMULA) else value


def _row(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()
