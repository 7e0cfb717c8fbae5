"""How the clinic's statements fare while one of ours runs, by what a real server counts of them."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from maintainer.errors import CouldNotLook
from maintainer.links import clinic as clinic_module
from maintainer.links.clinic import Clinic
from maintainer.planning.database import SERVER
from tests.contract.links import postgres_server
from tests.contract.links.postgres_server import TOOLS, Postgres

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
FOLDERS = {"of-the-wheel": TOOLS, **{f"debian-{folder.parent.name}": folder for folder in DEBIAN}}
COUNTS = "-c shared_preload_libraries=pg_stat_statements"
EXTENSION = ('CREATE SCHEMA "of the; DBA"', 'CREATE EXTENSION pg_stat_statements SCHEMA "of the; DBA"')


@pytest.fixture(scope="module", params=FOLDERS)
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    started = postgres_server.start(FOLDERS[request.param], COUNTS)
    started.sql("CREATE ROLE archive LOGIN")
    yield started
    postgres_server.stop(started)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare readings that lie close together."""
    monkeypatch.setattr(clinic_module, "AT_LEAST", 0.0)


def seen_by_us(server: Postgres) -> Clinic:
    def rows(text: str, parameters: dict[str, Any], _within: timedelta) -> list[dict[str, Any]]:
        with psycopg.connect(host=str(server.folder), port=server.port, user="maintainer", dbname="pacs") as session:
            try:
                return session.cursor(row_factory=dict_row).execute(text.encode(), parameters or None).fetchall()
            except psycopg.Error as error:
                raise CouldNotLook(str(error)) from None

    return Clinic(rows)


def works(server: Postgres, milliseconds: int, *, calls: int = 60, user: str = "archive") -> None:
    """Let one statement run so many times, each so long."""
    with psycopg.connect(host=str(server.folder), port=server.port, user=user, dbname="pacs") as session:
        for _ in range(calls):
            session.execute(f"SELECT pg_sleep({milliseconds / 1000})".encode())


@pytest.fixture
def counted(server: Postgres) -> Iterator[Postgres]:
    server.sql(*EXTENSION, 'GRANT USAGE ON SCHEMA "of the; DBA" TO maintainer', "GRANT pg_read_all_stats TO maintainer")
    works(server, 1)
    yield server
    server.sql('DROP SCHEMA "of the; DBA" CASCADE', "REVOKE pg_read_all_stats FROM maintainer")


def test_a_slow_clinic_is_seen_and_a_fast_one_is_not(counted: Postgres) -> None:
    """By its own statements, wherever the extension lies; what we ran ourselves does not count."""
    ours = seen_by_us(counted)
    ours.begins()
    works(counted, 20)
    told: Any = ours.told()
    assert told["clinic_slower_times"] > 2
    assert told["clinic_calls"] >= 60
    works(counted, 1)
    works(counted, 20, user="maintainer")
    assert ours.told() == {}


def test_what_is_too_short_counts_with_what_comes_next(counted: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small steps are told of together, and cost two readings."""
    monkeypatch.setattr(clinic_module, "AT_LEAST", 3600.0)
    ours = seen_by_us(counted)
    ours.begins()
    works(counted, 20)
    assert ours.told() == {}
    monkeypatch.setattr(clinic_module, "AT_LEAST", 0.0)
    ours.begins()
    assert "clinic_slower_times" in ours.told()


def test_what_cannot_be_told_is_said(server: Postgres) -> None:
    """Without the extension, or the right to tell one statement from another, nothing is guessed."""
    ours = seen_by_us(server)
    ours.begins()
    assert ours.told() == {"clinic_unknown": "pg_stat_statements is not in this database"}
    server.sql(*EXTENSION)
    ours = seen_by_us(server)
    ours.begins()
    assert str(ours.told()["clinic_unknown"]).startswith("the role may not see pg_stat_statements")
    server.sql('DROP SCHEMA "of the; DBA" CASCADE')


def test_who_works_with_short_statements_is_at_work(server: Postgres) -> None:
    """Between two statements of a millisecond a session counts; one that has rested for a second does not."""

    def at_work() -> int:
        ((found,),) = server.sql(f"SELECT active_clients FROM ({SERVER.text}) AS seen")  # noqa: S608 (our own query)
        return int(found)

    with server.session("SELECT 1") as first, server.session("SELECT 1") as second:
        first.commit()
        second.commit()
        assert at_work() == 2
        deadline = time.monotonic() + 30
        while at_work():
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_an_extension_that_was_never_loaded_is_said() -> None:
    """It can be created without its library: then asking it is an error."""
    server = postgres_server.start()
    try:
        server.sql(
            *EXTENSION, 'GRANT USAGE ON SCHEMA "of the; DBA" TO maintainer', "GRANT pg_read_all_stats TO maintainer"
        )
        ours = seen_by_us(server)
        ours.begins()
        assert "shared_preload_libraries" in str(ours.told()["clinic_unknown"])
    finally:
        postgres_server.stop(server)
