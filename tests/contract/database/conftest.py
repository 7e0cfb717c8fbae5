"""PostgreSQL servers for the queries of the database tasks: the newest from the wheel, and those that Debian has."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.numeric import FloatLoader
from pydantic_core import to_jsonable_python

from maintainer import sdk
from maintainer.links.node_observer import CALLABLE
from tests.contract.links import postgres_server
from tests.contract.links.postgres_server import TOOLS, Postgres

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
FOLDERS = {"of-the-wheel": TOOLS, **{f"debian-{folder.parent.name}": folder for folder in DEBIAN}}
SETTINGS = "-c autovacuum=off -c max_prepared_transactions=5 -c wal_level=logical"
GRANTS = """
    CREATE ROLE m LOGIN;
    GRANT pg_monitor, pg_stat_scan_tables, maintainer TO m;
"""

NODE = sdk.Node.model_validate({"address": "a", "ssh": {"user": "m"}, "database": {"name": "pacs", "user": "m"}})
ODD = 'Bilder "x"; größe'
"""A name that no statement survives unless it is quoted."""

PLENTY = {"free_bytes": 10**12, "total_bytes": 10**12}

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module", params=FOLDERS)
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    server = postgres_server.start(FOLDERS[request.param], SETTINGS)
    server.sql(*filter(str.strip, GRANTS.split(";")))
    yield server
    postgres_server.stop(server)


@pytest.fixture
def ask(postgres: Postgres) -> Ask:
    """Ask as the session that observes would: as a role with the documented privileges, unable to write."""

    def asked(query: sdk.SqlQuery, *, role: str = "m", database: str = "pacs") -> list[dict[str, Any]]:
        options = "-c default_transaction_read_only=on -c lock_timeout=1s"
        folder = str(postgres.folder)
        with psycopg.connect(host=folder, port=postgres.port, user=role, dbname=database, options=options) as session:
            session.adapters.register_loader("numeric", FloatLoader)
            cursor = session.cursor(row_factory=dict_row)
            if query.calls and not cursor.execute(CALLABLE, {"function": query.calls}).fetchall()[0]["callable"]:
                return []
            rows = cursor.execute(query.text.encode(), query.parameters or None).fetchall()
            answer: list[dict[str, Any]] = to_jsonable_python(rows, fallback=str)
            return answer

    return asked


def decided(
    task: Any, ask: Ask, recorded: Mapping[str, Any] | None = None, role: str = "m", **settings: Any
) -> sdk.Decision:
    """Let a task look at the database and decide; `recorded` is what the log has by measurement."""
    params = task.params(window="night", **settings)
    answers: dict[str, Any] = {"observed_at": datetime.now(UTC)}

    def facts_with(questions: Mapping[str, Any]) -> Any:
        answers.update({name: _answer(one, ask, recorded or {}, role) for name, one in questions.items()})
        return task.facts.model_validate(answers)

    facts = facts_with(task.observe(NODE, params))
    while more := {name: one for name, one in task.observe_more(NODE, params, facts).items() if name not in answers}:
        facts = facts_with(more)
    decision: sdk.Decision = task.plan(NODE, params, facts)
    return decision


def _answer(one: Any, ask: Ask, recorded: Mapping[str, Any], role: str) -> Any:
    match one:
        case sdk.SqlQuery():
            return ask(one, role=role)
        case sdk.Recorded(measurement=measurement):
            return recorded.get(measurement, {})
        case sdk.Openings():
            return []
        case sdk.Room(paths=paths):
            return dict.fromkeys(paths, PLENTY)
    raise ValueError(one)


@contextmanager
def offline(postgres: Postgres) -> Iterator[Path]:
    """Stop the server, hand out its data directory, and start it as it was started."""
    data = postgres.folder / "data"
    options = shlex.join(shlex.split((data / "postmaster.opts").read_text())[1:])
    postgres_server._run(postgres.tools, ["pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop"], postgres.owner)
    yield data
    start = ["pg_ctl", "-D", str(data), "-w", "-l", str(postgres.folder / "log"), "-o", options, "start"]
    postgres_server._run(postgres.tools, start, postgres.owner)


@contextmanager
def another(postgres: Postgres, *statements: str) -> Iterator[None]:
    """Another session, in the middle of its work."""
    with psycopg.connect(host=str(postgres.folder), port=postgres.port, user="postgres", dbname="pacs") as session:
        for statement in statements:
            session.execute(statement.encode())
        yield
