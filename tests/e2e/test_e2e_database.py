"""A night on the practice PACS whose database is in the way, goes away, or does not tell (FAULTS 30 to 37)."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from maintainer.practice import database
from tests.e2e.driver import Controller, endings, finished, steps
from tests.practice_fixture import Practice

pytestmark = pytest.mark.timeout(300, func_only=True)

REINDEX = ("run", "--task", "db-reindex", "--json")
INDEX = "public.send_queue_due"
REBUILD = f"REINDEX INDEX CONCURRENTLY {INDEX}"
AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'REINDEX%' AND state = 'active'"
IN_PHASE = "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase = 'waiting for old snapshots'"
UNFINISHED = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


@pytest.fixture
def bloated(mended: Practice) -> Iterator[Practice]:
    """One index is due to be rebuilt; afterwards nothing unfinished lies about."""
    mended.break_("bloated-index")
    yield mended
    for suffix in ("ccnew", "ccnew1", "ccold"):
        sql(mended, f"DROP INDEX IF EXISTS {INDEX}_{suffix}")


def sql(practice: Practice, *statements: str) -> Any:
    """Run statements as somebody at the console; answers the first value of the last one."""
    with database.session(practice.layout, database.SUPERUSER) as session:
        for statement in statements:
            cursor = session.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


@contextmanager
def old_snapshot(practice: Practice) -> Iterator[None]:
    """A report that takes long: a rebuild must wait for it, whatever table it reads."""
    with database.connect(practice.layout, database.SUPERUSER) as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute("SELECT count(*) FROM patients")
        yield


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.05)


@contextmanager
def rebuilding(me: Controller, practice: Practice) -> Iterator[Any]:
    """Give a run whose rebuild waits for an old snapshot; the snapshot ends with the context."""
    with old_snapshot(practice):
        run = me.start(*REINDEX)
        try:
            wait_for(lambda: sql(practice, IN_PHASE) == 1)
            yield run
        except BaseException:
            run.kill()
            raise


@pytest.mark.fault(30)
def test_fault_30_an_old_snapshot_before(bloated: Practice, alone: Controller) -> None:
    """A rebuild that would have to wait for it is refused, with what is in the way; nothing is sent."""
    alone.edit("[tasks.db-reindex]\n", '[tasks.db-reindex]\nlongest_transaction = "1s"\ntimeout = "20s"\n')
    with old_snapshot(bloated):
        time.sleep(1.5)
        answer = alone.here(*REINDEX)
    (task,) = answer.document["tasks"]
    assert (answer.code, task["answer"]["kind"], task["steps"]) == (4, "refuse", [])
    assert "transaction" in task["answer"]["because"]
    assert sql(bloated, UNFINISHED) == 0


@pytest.mark.fault(30)
def test_fault_30_an_old_snapshot_that_comes_later(bloated: Practice, alone: Controller) -> None:
    """At its time limit the rebuild is ended, and what it had built is gone; the next night it is done."""
    alone.edit("[tasks.db-reindex]\n", '[tasks.db-reindex]\ntimeout = "5s"\n')
    with rebuilding(alone, bloated) as run:
        answer = finished(run)
    (ending,) = [done["ending"] for task in answer.document["tasks"] for done in task["steps"]]
    assert ending["ending"] == "failed"
    assert "time limit" in ending["error"]
    assert f"what it had built was dropped: {INDEX}_ccnew" in ending["error"]
    assert (answer.code, sql(bloated, UNFINISHED)) == (1, 0)
    assert [one[-1] for one in endings(alone.json("run", "--task", "db-reindex"))] == ["done"]


@pytest.mark.fault(31)
def test_fault_31_what_somebody_else_left(bloated: Practice, alone: Controller) -> None:
    """It is told, with its kind and what to do, and lies there untouched after the rebuild of its original."""
    with old_snapshot(bloated), pytest.raises(Exception, match="57014"):
        sql(bloated, "SET statement_timeout = '1s'", REBUILD)
    assert sql(bloated, UNFINISHED) == 1
    document = alone.json("run", "--task", "db-reindex")
    (found,) = [one for one in document["tasks"][0]["answer"]["findings"] if one["cause"] == "index-invalid"]
    assert found["subject"] == 'index "public"."send_queue_due_ccnew"'
    assert found["evidence"]["kind"] == "new"
    assert [one[-1] for one in endings(document)] == ["done"]
    assert (
        sql(bloated, "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid") == "send_queue_due_ccnew"
    )


@pytest.mark.fault(32)
def test_fault_32_the_agent_is_killed_during_a_rebuild(bloated: Practice, alone: Controller) -> None:
    """The server notices within seconds; the next run settles the step, drops what is left and does the work."""
    with rebuilding(alone, bloated) as run:
        run.kill()
        run.communicate()
        wait_for(lambda: sql(bloated, AT_WORK) == 0, seconds=25)
        assert sql(bloated, UNFINISHED) == 1
    document = alone.json("run", "--task", "db-reindex")
    assert [(one["subject"], one["ending"]) for one in document["settled"]] == [
        ('index "public"."send_queue_due"', "failed")
    ]
    assert [one[-1] for one in endings(document)] == ["done", "done"]
    assert sql(bloated, UNFINISHED) == 0
    assert steps(alone.json("plan", "--task", "db-reindex")) == []


def test_the_server_is_restarted_during_a_rebuild(bloated: Practice, alone: Controller) -> None:
    """The step has failed and says why; nothing is left open, and the next run does the work and drops what is left."""
    with database.connect(bloated.layout, database.SUPERUSER) as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute("SELECT count(*) FROM patients")
        run = alone.start(*REINDEX)
        wait_for(lambda: sql(bloated, IN_PHASE) == 1)
        os.kill(_postmaster(bloated), signal.SIGINT)
        answer = finished(run)
        with pytest.raises(psycopg.Error):
            session.execute("SELECT 1")
    wait_for(lambda: not (bloated.layout.database / "postmaster.pid").exists())
    bloated.up()
    (ending,) = [done["ending"] for task in answer.document["tasks"] for done in task["steps"]]
    assert ending["ending"] in {"failed", "unknown"}
    document = alone.json("run", "--task", "db-reindex")
    assert {one[-1] for one in endings(document)} == {"done"}
    assert sql(bloated, UNFINISHED) == 0
    assert steps(alone.json("plan", "--task", "db-reindex")) == []


@pytest.mark.fault(36)
def test_fault_36_the_clinic_wants_the_table_during_a_rebuild(bloated: Practice, alone: Controller) -> None:
    """It has it within a second; the rebuild says for whom it gave way, is tried again, and is done."""
    waited: list[float] = []

    def change() -> None:
        with database.connect(bloated.layout, database.ARCHIVE, autocommit=True) as archive:
            begun = time.monotonic()
            archive.execute("ALTER TABLE send_queue ADD COLUMN IF NOT EXISTS priority int")
            waited.append(time.monotonic() - begun)

    clinic = threading.Thread(target=change)
    with rebuilding(alone, bloated) as run:
        clinic.start()
        clinic.join()
    answer = finished(run)
    assert waited[0] < 5
    assert [one[-1] for one in endings(answer.document)] == ["done"]
    first, second = [one for one in alone.records() if one["kind"] == "outcome"]
    assert (first["ending"], first["reason"], second["ending"]) == ("not-run", "gave-way", "done")
    assert "kept practice-archive (client backend) waiting" in first["error"]
    assert (answer.code, sql(bloated, UNFINISHED)) == (0, 0)


@pytest.mark.fault(37)
def test_fault_37_the_role_sees_no_statistics(bloated: Practice, alone: Controller) -> None:
    """Where nobody can tell, that is said and nothing is done: neither a number nor "nothing is due"."""
    rights = "pg_monitor, pg_stat_scan_tables"
    sql(bloated, f"REVOKE {rights} FROM maintainer")
    try:
        document = alone.json("plan", "--task", "db-reindex", "--task", "db-vacuum")
    finally:
        sql(bloated, f"GRANT {rights} TO maintainer")
    assert steps(document) == []
    told = {one["cause"] for entry in document["entries"] for one in entry["answer"]["findings"]}
    assert "index-bloat-unknown" in told


def _postmaster(practice: Practice) -> int:
    return int((practice.layout.database / "postmaster.pid").read_text("utf-8").split()[0])
