"""A role that has just what the printed set-up gives it can do all that the database tasks ask for, and no more."""

import subprocess
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from maintainer import sdk
from tests.contract.database.conftest import FOLDERS, Ask, decided
from tests.contract.links import postgres_server
from tests.contract.links.postgres_server import Postgres

SET_UP = files("maintainer.planning") / "set_up"
ROLE = "pacs-maint"
TASKS = sorted(one.name for one in entry_points(group="maintainer.tasks") if one.name.startswith("db-"))
LIMITS: dict[str, dict[str, Any]] = {
    "db-vacuum": {"smallest": 1000},
    "db-analyze": {"at_least": 100},
    "db-reindex": {"smallest": 1000, "leaf_density": 0.89},
    "db-settings": {"smallest": 1000},
}
ARCHIVE = (
    "CREATE ROLE archive",
    "CREATE SCHEMA images AUTHORIZATION archive",
    "CREATE TABLE images.queue (pk serial PRIMARY KEY, n int)",
    "ALTER TABLE images.queue OWNER TO archive",
    "INSERT INTO images.queue (n) SELECT n FROM generate_series(1, 20000) AS n",
    "DELETE FROM images.queue WHERE n % 2 = 0",
    "CREATE INDEX queue_n ON images.queue (n) WITH (fillfactor = 40)",
    "ALTER INDEX images.queue_n RESET (fillfactor)",
    "DROP TABLE secret",
)


@pytest.fixture(scope="module", params=FOLDERS)
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A database whose tables are in a schema of the archive's own, as some vendors have it."""
    server = postgres_server.start(FOLDERS[request.param], "-c autovacuum=off")
    try:
        server.sql(*ARCHIVE)
        printed(server, "role.sql")
        yield server
    finally:
        postgres_server.stop(server)


def printed(server: Postgres, name: str) -> None:
    """Run a part of the set-up as a sysadmin would."""
    words = {"role": ROLE, "mark": "made by the test", "tables": "objects"}
    variables = [word for key, value in words.items() for word in ("-v", f"{key}={value}")]
    where = ["-h", str(server.folder), "-p", str(server.port), "-U", "postgres", "-d", "pacs"]
    argv = [str(postgres_server.TOOLS / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *variables, *where]
    text = (SET_UP / name).read_text("utf-8")
    done = subprocess.run(argv, input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", TASKS)
def test_every_step_can_be_done(postgres: Postgres, ask: Ask, name: str) -> None:
    """What a task plans, the role may do; nothing is said to be not permitted or not to be known for lack of rights."""
    (entry,) = entry_points(group="maintainer.tasks", name=name)
    decision = decided(entry.load()(), ask, role=ROLE, **LIMITS.get(name, {}))
    steps = decision.steps if isinstance(decision, sdk.Steps) else ()
    assert bool(steps) == (name != "db-settings")
    lacking = ("not-permitted", "unreadable", "check-failed")
    assert [finding.cause for finding in decision.findings if finding.cause.endswith(lacking)] == []
    for statement in statements(steps):
        assert performed(postgres, statement) == []


def statements(steps: tuple[sdk.Step, ...]) -> Iterator[str]:
    for step in steps:
        if isinstance(step.action, sdk.Sql):
            yield step.action.text
        elif isinstance(step.action, sdk.CheckRelations):
            yield from (check.text for check in step.action.checks)


def performed(postgres: Postgres, statement: str) -> list[str]:
    """Run a statement as the role; answers what the server remarks, as when it passes over a table."""
    remarks: list[str] = []
    with psycopg.connect(host=str(postgres.folder), port=postgres.port, user=ROLE, dbname="pacs") as session:
        session.autocommit = True
        session.add_notice_handler(lambda remark: remarks.append(str(remark.message_primary)))
        session.execute(statement.encode())
    return remarks


def test_the_rows_of_the_archive_stay_unread(postgres: Postgres) -> None:
    """On servers where maintenance is a right of its own, no table of patients can be read with it."""
    (version,) = postgres.sql("SELECT current_setting('server_version_num')::int")[0]
    (reads,) = postgres.sql(f"SELECT has_table_privilege('{ROLE}', 'images.queue', 'SELECT')")[0]
    assert reads == (version < 170000)


def test_all_of_it_can_be_taken_back(postgres: Postgres) -> None:
    """No right keeps the role from being dropped; it can be made anew."""
    printed(postgres, "undo_role.sql")
    assert postgres.sql(f"SELECT FROM pg_roles WHERE rolname = '{ROLE}'") == []
    printed(postgres, "role.sql")
