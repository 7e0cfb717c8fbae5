"""One contract for all ways to answer questions: SQLite, PostgreSQL, and the log itself when there is no index."""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintainer.errors import LogError
from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record, read_record
from maintainer.model.inventory import LogIndex
from maintainer.model.task import OnRecord
from tests.contract.intervention_log.conftest import PASSWORD

NIGHT = dt.datetime(2024, 3, 1, 22, tzinfo=dt.UTC)
NOWHERE = LogIndex(host="127.0.0.1", port=1, name="gone", user="nobody")


class Minutes:
    """A clock that goes on by a minute at each look."""

    def __init__(self) -> None:
        self._minutes = 0

    def __call__(self) -> dt.datetime:
        self._minutes += 1
        return NIGHT + dt.timedelta(minutes=self._minutes)


@pytest.fixture(params=["sqlite", "postgresql", "log itself"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InterventionLog]:
    """A log of its own origin, so that several may share one database, as sites do."""
    index, password = None, None
    if request.param == "postgresql":
        index, password = request.getfixturevalue("postgresql"), PASSWORD
    if request.param == "log itself":
        index = NOWHERE
    origin = f"site-{uuid4().hex}"
    with InterventionLog.open(
        tmp_path / "state", origin=origin, index=index, index_password=password, clock=Minutes()
    ) as opened:
        yield opened
        assert opened.index_trouble is None or request.param == "log itself"


def fill(log: InterventionLog) -> list[Record]:
    """Write two runs' worth of records on two nodes."""
    written = []
    for run, node in (("r1", "pacs-a"), ("r2", "pacs-b")):
        about = {"run": run, "node": node, "task": "db-vacuum", "subject": "public.study"}
        written.append(log.append(Kind.RUN_OPENED, run=run))
        intent = log.append(Kind.INTENT, **about)
        done = {"ending": "done", "measured": {"seconds": 1.5, "rows": 7}}
        written += [intent, log.append(Kind.OUTCOME, step=intent.step, **about, **done)]
        written += [log.append(Kind.OUTCOME, **about, ending="not-run", reason="no-time-left")]
        written += [log.append(Kind.MEASURED, **about, measured={"ratio": value}) for value in (2.5, 1.25, 2)]
        written.append(log.append(Kind.RUN_CLOSED, run=run))
    return written


WORDS = st.fixed_dictionaries(
    {},
    optional={
        "node": st.sampled_from(["pacs-a", "pacs-b", "pacs-c"]),
        "task": st.sampled_from(["db-vacuum", "db-reindex"]),
        "subject": st.sampled_from(["public.study", "public.series"]),
        "kind": st.sampled_from(Kind),
        "ending": st.sampled_from(["done", "not-run", "failed"]),
        "run": st.sampled_from(["r1", "r2"]),
        "since": st.integers(0, 20).map(lambda minutes: NIGHT + dt.timedelta(minutes=minutes)),
        "until": st.integers(0, 20).map(lambda minutes: NIGHT + dt.timedelta(minutes=minutes)),
        "limit": st.integers(1, 20),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(words=WORDS)
def test_every_filter_finds_what_the_records_say(log: InterventionLog, words: dict[str, object]) -> None:
    """Node, task, subject, kind, ending, run, time and limit, in any combination, oldest first."""
    written = [read_record(line) for line in log._true_lines()] or fill(log)
    where = Filter.model_validate(words)
    expected = [record for record in written if where.matches(record)]
    assert list(log.records(where)) == expected[-where.limit if where.limit else 0 :]


def test_what_is_appended_later_is_found(log: InterventionLog) -> None:
    """Every question sees the log as it is at that moment."""
    fill(log)
    before = len(list(log.records()))
    log.append(Kind.NOTE, actor="ann", text="disk replaced")
    assert [record.text for record in log.records()][before:] == ["disk replaced"]


def test_durations_are_those_of_steps_that_ended_well(log: InterventionLog) -> None:
    """For the forecast: what took long and failed says nothing."""
    fill(log)
    log.append(Kind.OUTCOME, node="pacs-a", task="db-vacuum", subject="public.study", ending="failed", error="x")
    assert log.durations("pacs-a", "db-vacuum", "public.study") == (dt.timedelta(seconds=1.5),)
    assert log.durations("pacs-a", "db-vacuum", "public.series") == ()


def test_history_is_the_least_and_the_last_value(log: InterventionLog) -> None:
    """Of one measurement on one node, by subject."""
    fill(log)
    log.append(Kind.MEASURED, node="pacs-a", subject="public.series", measured={"ratio": 4, "other": 1, "word": "x"})
    expected = {"public.study": OnRecord(1.25, 2.0), "public.series": OnRecord(4.0, 4.0)}
    assert log.history("pacs-a", "ratio") == expected
    assert log.history("pacs-a", "word") == {}
    assert log.history("pacs-c", "ratio") == {}


def test_marks_are_every_time_that_something_was_put_on_record(log: InterventionLog) -> None:
    """What one record holds is together; of each subject the oldest first, and nothing of another node."""
    fill(log)
    there = {"node": "pacs-a", "subject": "public.series"}
    log.append(Kind.MEASURED, **there, measured={"ratio": 4, "other": 1, "word": "x"})
    log.append(Kind.MEASURED, **there, measured={"other": 2})
    log.append(Kind.MEASURED, node="pacs-c", measured={"ratio": 4})
    marks = log.marks("pacs-a", ("ratio", "other", "word"))
    told = [(one.subject.removeprefix("public."), one.values) for one in marks]
    series = [("series", {"ratio": 4.0, "other": 1.0}), ("series", {"other": 2.0})]
    assert told == [*series, *(("study", {"ratio": value}) for value in (2.5, 1.25, 2.0))]
    assert [one.at for one in marks[2:]] == sorted(one.at for one in log.records() if one.node == "pacs-a")[3:6]
    assert log.marks("pacs-b", ()) == []


def test_last_run(log: InterventionLog) -> None:
    """When a run was last opened."""
    assert log.last_run() is None
    written = fill(log)
    assert log.last_run() == written[8].at


def test_one_record_is_found_by_its_number(log: InterventionLog) -> None:
    """`log show 3` is line 3."""
    assert log.record(3) is None
    written = fill(log)
    assert [log.record(seq) for seq in (0, 3, 99)] == [None, written[2], None]


def test_an_intent_is_open_until_its_ending_is_known(log: InterventionLog) -> None:
    """No outcome, or an unknown one, is open; a known outcome or a reconciliation closes it."""
    first, second, third = (log.append(Kind.INTENT, node=node) for node in ("pacs-a", "pacs-b", "pacs-c"))
    log.append(Kind.OUTCOME, step=second.step, ending="unknown")
    log.append(Kind.OUTCOME, step=third.step, ending="failed")
    assert log.open_intents() == (first, second)
    log.append(Kind.RECONCILED, step=second.step, ending="done")
    log.append(Kind.OUTCOME, step=first.step, ending="done")
    assert log.open_intents() == ()


def sqlite_log(state: Path) -> InterventionLog:
    return InterventionLog.open(state, origin="site-a", clock=Minutes())


def delete_file(index: Path) -> None:
    index.unlink()


def fill_with_rubbish(index: Path) -> None:
    index.write_bytes(b"rubbish" * 1000)


def corrupt_a_page(index: Path) -> None:
    data = bytearray(index.read_bytes())
    data[4096 : 4096 * 4] = b"\xff" * 4096 * 3
    index.write_bytes(data)


def edit_a_line(index: Path) -> None:
    with sqlite3.connect(index) as db:
        db.execute("update maintainer_records_1 set line = replace(line, 'pacs-a', 'pacs-z') where seq = 3")
    db.close()


def edit_the_last_line(index: Path) -> None:
    with sqlite3.connect(index) as db:
        db.execute("update maintainer_records_1 set hash = 'x' where seq = 16")
    db.close()


def other_columns(index: Path) -> None:
    with sqlite3.connect(index) as db:
        db.execute("drop table maintainer_measurements_1")
        db.execute("create table maintainer_measurements_1 (x)")
    db.close()


@pytest.mark.parametrize(
    "damage", [delete_file, fill_with_rubbish, corrupt_a_page, edit_a_line, edit_the_last_line, other_columns]
)
def test_a_damaged_index_is_made_again_from_the_log(tmp_path: Path, damage: object) -> None:
    """Deleted, overwritten, corrupt or edited: the answers are the log's."""
    with sqlite_log(tmp_path) as log:
        written = fill(log)
        assert list(log.records()) == written
    damage(tmp_path / "index.sqlite")  # type: ignore[operator] (each is a function of the index's path)
    with sqlite_log(tmp_path) as log:
        assert list(log.records()) == written
        assert log.history("pacs-b", "ratio") == {"public.study": OnRecord(1.25, 2.0)}
        assert log.index_trouble is None


def test_an_index_of_another_log_is_forgotten(tmp_path: Path) -> None:
    """A log restored from a backup, shorter than the index or other than it, is what counts."""
    with sqlite_log(tmp_path / "a") as log:
        fill(log)
        list(log.records())
    with sqlite_log(tmp_path / "b") as log:
        log.append(Kind.NOTE, text="another life")
    (tmp_path / "b" / "index.sqlite").write_bytes((tmp_path / "a" / "index.sqlite").read_bytes())
    with sqlite_log(tmp_path / "b") as log:
        assert [record.text for record in log.records()] == ["another life"]
        assert log.history("pacs-a", "ratio") == {}


def test_two_sites_meet_in_one_database(tmp_path: Path, postgresql: LogIndex) -> None:
    """Each sees its own records, and making one's rows again leaves the other's alone."""
    names = [f"site-{uuid4().hex}" for _ in range(2)]
    logs = [
        InterventionLog.open(tmp_path / name, origin=name, index=postgresql, index_password=PASSWORD) for name in names
    ]
    for log, name in zip(logs, names, strict=True):
        log.append(Kind.NOTE, text=f"of {name}")
        log.refresh_index()
    assert [[record.text for record in log.records()] for log in logs] == [[f"of {name}"] for name in names]
    with psycopg.connect(host=postgresql.host, port=postgresql.port, user="postgres", password=PASSWORD) as db:
        db.execute("update maintainer_records_1 set line = 'x' || line where origin = %s", (names[0],))
        db.commit()
        assert [record.text for record in logs[0].records()] == [f"of {names[0]}"]
        left = db.execute("select count(*) from maintainer_records_1 where origin = any(%s)", (names,)).fetchone()
    assert left == (2,)
    for log in logs:
        log.close()


def test_a_database_that_is_down_stops_nothing(tmp_path: Path) -> None:
    """Answers come from the log; `refresh_index` says what is wrong, without the password."""
    with InterventionLog.open(tmp_path, origin="site-a", index=NOWHERE, index_password="hunter2") as log:  # noqa: S106 (a canary)
        written = fill(log)
        assert list(log.records(Filter(limit=2))) == written[-2:]
        with pytest.raises(LogError, match="the log's index cannot be used") as caught:
            log.refresh_index()
    assert "hunter2" not in str(caught.value)
    assert "filled again from it" in caught.value.hint


def test_a_broken_log_gives_no_answer(tmp_path: Path) -> None:
    """The index does not paper over a log that was touched."""
    with sqlite_log(tmp_path) as log:
        fill(log)
    journal = tmp_path / "interventions.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"no-time-left", b"no-time-lost"))
    with InterventionLog.read(tmp_path) as log, pytest.raises(LogError, match=rf"{journal}:4: byte \d+, record 4"):
        list(log.records())


def test_asking_needs_no_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the index cannot be made, the log itself answers."""
    with sqlite_log(tmp_path) as log:
        written = fill(log)
    monkeypatch.setattr("maintainer.intervention_log.index.SQLITE", "no-such-folder/index.sqlite")
    with InterventionLog.read(tmp_path) as log:
        assert list(log.records()) == written
        assert log.index_trouble is not None
