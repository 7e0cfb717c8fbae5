"""A rebuild that gives way or runs out of time leaves nothing of its own, and drops nothing of anybody else's."""

import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from maintainer.errors import ActionFailed, GaveWay
from maintainer.links import postgres_watch
from maintainer.links.postgres_acting import ActingSession
from maintainer.model.progress import Progress
from tests.contract.links.clinic_session import PLENTY, UNFINISHED, Clinic, at_work
from tests.contract.links.postgres_server import Postgres

REBUILD = 'REINDEX INDEX CONCURRENTLY "public"."study_pkey"'
A_SNAPSHOT = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM secret")


@pytest.fixture
def tidy(postgres: Postgres) -> Iterator[None]:
    """No test leaves an unfinished index to the next."""
    yield
    for name in ("study_pkey_ccnew", "study_pkey_ccold"):
        postgres.sql(f"DROP INDEX IF EXISTS {name}")


@pytest.mark.fault(36)
@pytest.mark.usefixtures("tidy")
def test_fault_36_a_rebuild_gives_way_and_leaves_nothing(acting: ActingSession, postgres: Postgres) -> None:
    """While it waits for an old snapshot somebody wants to change the table: what was built is dropped."""
    clinic = Clinic(postgres, "ALTER TABLE study ADD COLUMN IF NOT EXISTS more int", name="DOE^JANE")
    with postgres.session(*A_SNAPSHOT), at_work(clinic), pytest.raises(GaveWay) as given:
        acting.perform(REBUILD, PLENTY)
    assert "it kept a session (client backend) waiting" in given.value.what
    assert "what it had built was dropped: public.study_pkey_ccnew" in given.value.what
    assert postgres.sql(UNFINISHED) == [(0,)]
    assert clinic.seconds < 5


@pytest.mark.usefixtures("tidy")
def test_progress_of_a_rebuild_is_told(
    acting: ActingSession, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that it waits, too."""
    monkeypatch.setattr(postgres_watch, "TOLD_EVERY", 0.2)
    told: list[Progress] = []
    with postgres.session(*A_SNAPSHOT), pytest.raises(ActionFailed):
        acting.perform(REBUILD, timedelta(seconds=3), tell=told.append)
    assert str(told[-1]) == "waiting for old snapshots 0 %"


@pytest.mark.fault(30)
@pytest.mark.usefixtures("tidy")
def test_fault_30_a_snapshot_that_comes_later(acting: ActingSession, postgres: Postgres) -> None:
    """At its time limit the rebuild is ended, and what it had built is dropped at once."""
    with postgres.session(*A_SNAPSHOT):
        begun = time.monotonic()
        with pytest.raises(ActionFailed, match="time limit") as failure:
            acting.perform(REBUILD, timedelta(seconds=3))
        assert time.monotonic() - begun < 15
    assert failure.value.what.endswith("what it had built was dropped: public.study_pkey_ccnew")
    assert postgres.sql(UNFINISHED) == [(0,)]


@pytest.mark.fault(30)
@pytest.mark.usefixtures("tidy")
def test_fault_30_a_snapshot_that_holds_the_table_too(acting: ActingSession, postgres: Postgres) -> None:
    """Even dropping would have to wait for it: that is given up in time, and said."""
    with postgres.session("SELECT count(*) FROM study"), pytest.raises(ActionFailed) as failure:
        acting.perform(REBUILD, timedelta(seconds=3))
    assert failure.value.what.endswith("what it had built may lie there, unfinished: the next run finds it")
    assert postgres.sql(UNFINISHED) == [(1,)]


@pytest.mark.fault(31)
@pytest.mark.usefixtures("tidy")
def test_fault_31_what_lay_there_before_is_not_dropped(acting: ActingSession, postgres: Postgres) -> None:
    """An unfinished index of somebody else stays; only our own is dropped."""
    with postgres.session(*A_SNAPSHOT), pytest.raises(psycopg.errors.QueryCanceled):
        postgres.sql("SET statement_timeout = '1s'", REBUILD)
    with postgres.session(*A_SNAPSHOT), pytest.raises(ActionFailed, match=r"was dropped: public\.study_pkey_ccnew1\n"):
        acting.perform(REBUILD, timedelta(seconds=3))
    lying = postgres.sql("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    assert lying == [("study_pkey_ccnew",)]
