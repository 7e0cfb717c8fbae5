"""Faults of a real node's PostgreSQL 15 while the agent works on it, through the whole product."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.driver import Answer, endings
from tests.lab import breakages
from tests.lab.guard import Night, until
from tests.lab.node import LabNode

pytestmark = pytest.mark.timeout(600, func_only=True)

REINDEX = ("run", "--task", "db-reindex", "--node", "pacs-a", "--json")
PLACE = "/var/lib/small"
IN_PHASE = "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for {}%';"
UNFINISHED = "SELECT count(*) FROM pg_index WHERE NOT indisvalid;"
A_SNAPSHOT = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT 1 FROM access_log LIMIT 1")
LEFT = "DROP INDEX IF EXISTS send_queue_due_ccnew; DROP INDEX IF EXISTS send_queue_due_ccold;"


@contextmanager
def in_a_small_place(node: LabNode, size: str) -> Iterator[None]:
    """Keep the bloated index where there is room for so much."""
    owner = node.run("id", "-u", "postgres").stdout.strip()
    node.run("sh", "-ec", f"mkdir -p {PLACE}; mount -t tmpfs -o size={size},mode=700,uid={owner} small {PLACE}")
    try:
        node.sql(f"CREATE TABLESPACE small LOCATION '{PLACE}';")
        node.sql("ALTER INDEX send_queue_due SET TABLESPACE small;")
        yield
    finally:
        node.run("rm", "-f", f"{PLACE}/filler")
        node.sql(f"{LEFT} ALTER INDEX send_queue_due SET TABLESPACE pg_default;")
        node.sql("DROP TABLESPACE small;")
        node.run("sh", "-ec", f"umount {PLACE}; rmdir {PLACE}")


@contextmanager
def transaction(node: LabNode, *statements: str) -> Iterator[None]:
    """Somebody's transaction that stays open until the block ends."""
    argv = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "orthanc"]
    with subprocess.Popen(
        node.argv("runuser", "-u", "postgres", "--", *argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write("".join(f"{one};\n" for one in ("BEGIN", *statements, "SELECT 'open'")))
        session.stdin.flush()
        while session.stdout.readline().strip() != "open":
            assert session.poll() is None
        try:
            yield
        finally:
            session.stdin.close()


def in_phase(node: LabNode, waiting_for: str) -> bool:
    return node.sql(IN_PHASE.format(waiting_for)).strip() == "1"


def only(answer: Answer) -> dict[str, str]:
    """How the one step of a run ended."""
    (ending,) = [done["ending"] for task in answer.document["tasks"] for done in task["steps"]]
    assert isinstance(ending, dict)
    return ending


@pytest.mark.fault(35)
def test_fault_35_no_room_for_the_rebuild(night: Night) -> None:
    """It is refused, and how much it takes is said; nothing is sent."""
    breakages.bloated_index(night.a)
    size = int(night.a.sql("SELECT pg_relation_size('send_queue_due');"))
    with in_a_small_place(night.a, f"{2 * size}"):
        answer = night.do(*REINDEX)
        (task,) = answer.document["tasks"]
        assert (task["answer"]["kind"], task["steps"]) == ("refuse", [])
        assert "reindex-no-room" in {found["cause"] for found in task["answer"]["findings"]}
    assert [one[-1] for one in endings(night.do(*REINDEX).document)] == ["done"]


@pytest.mark.fault(35)
def test_fault_35_the_room_is_taken_during_the_rebuild(night: Night) -> None:
    """The server lives and serves, what was built is dropped, and the step says that the disk is full."""
    breakages.bloated_index(night.a)
    with in_a_small_place(night.a, "64m"):
        with night.running(*REINDEX) as answers, transaction(night.a, "LOCK TABLE send_queue IN ROW EXCLUSIVE MODE"):
            until(lambda: in_phase(night.a, "writers"))
            night.a.run("dd", "if=/dev/zero", f"of={PLACE}/filler", "bs=64k", check=False)
        assert only(answers[0])["ending"] == "failed"
        assert "disk is full" in only(answers[0])["error"]
        assert "what it had built was dropped" in only(answers[0])["error"]
        assert night.a.answers_echo()
        assert night.a.sql(UNFINISHED).strip() == "0"
        night.a.run("rm", f"{PLACE}/filler")
        assert [one[-1] for one in endings(night.do(*REINDEX).document)] == ["done"]


@pytest.mark.fault(32)
def test_fault_32_the_agent_is_killed_during_a_rebuild(night: Night) -> None:
    """The server notices through sshd that nobody waits any more; the next run drops what is left, and rebuilds."""
    breakages.bloated_index(night.a)
    with transaction(night.a, *A_SNAPSHOT):
        run = night.controller.start(*REINDEX)
        until(lambda: in_phase(night.a, "old snapshots"))
        run.kill()
        run.communicate()
        until(lambda: not in_phase(night.a, "old snapshots"), within=25)
        assert night.a.sql(UNFINISHED).strip() == "1"
    answer = night.do(*REINDEX)
    assert [one["ending"] for one in answer.document["settled"]] == ["failed"]
    assert {one[-1] for one in endings(answer.document)} == {"done"}
    assert night.a.sql(UNFINISHED).strip() == "0"


@pytest.mark.fault(36)
def test_fault_36_the_clinic_wants_the_table_during_a_rebuild(night: Night) -> None:
    """It has the table at once; the rebuild gives way, is tried again when the report is done, and is done."""
    breakages.bloated_index(night.a)
    with night.running(*REINDEX) as answers, transaction(night.a, *A_SNAPSHOT):
        until(lambda: in_phase(night.a, "old snapshots"))
        begun = time.monotonic()
        night.a.sql("ALTER TABLE send_queue ADD COLUMN more int;")
        assert time.monotonic() - begun < 5
    assert only(answers[0])["ending"] == "done"
    first, second = [record for record in night.controller.records() if record["kind"] == "outcome"]
    assert (first["ending"], first["reason"], second["ending"]) == ("not-run", "gave-way", "done")
    assert "it kept psql (client backend) waiting" in first["error"]
    night.a.sql("ALTER TABLE send_queue DROP COLUMN more;")
    assert night.a.sql(UNFINISHED).strip() == "0"
