"""What the database tasks see and do on a standby: only what reads."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

import psycopg
import pytest

from maintainer import sdk
from tests.contract.database.conftest import FOLDERS, GRANTS, Ask, decided
from tests.contract.links import postgres_server
from tests.contract.links.postgres_server import Postgres
from tests.contract.links.servers import wait_for

TASKS = sorted(one.name for one in entry_points(group="maintainer.tasks") if one.name.startswith("db-"))
LIMITS: dict[str, dict[str, Any]] = {
    "db-vacuum": {"smallest": 1000, "freeze_age": 10_000_000},
    "db-reindex": {"smallest": 1000, "leaf_density": 0.89},
}


@pytest.fixture(scope="module", params=FOLDERS)
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A standby whose primary has an index that is due, and rights that the set-up grants."""
    primary = postgres_server.start(FOLDERS[request.param], "-c autovacuum=off")
    with (primary.folder / "data" / "pg_hba.conf").open("a") as rules:
        rules.write("local replication postgres trust\n")
    try:
        primary.sql(
            "SELECT pg_reload_conf()",
            *filter(str.strip, GRANTS.split(";")),
            "CREATE EXTENSION amcheck",
            "CREATE EXTENSION pgstattuple",
            "GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean), verify_heapam TO m",
            "CREATE TABLE queue AS SELECT n FROM generate_series(1, 20000) AS n",
            "CREATE INDEX queue_n ON queue (n) WITH (fillfactor = 40)",
            "ALTER INDEX queue_n RESET (fillfactor)",
            "ALTER TABLE queue OWNER TO maintainer",
            "CREATE UNLOGGED TABLE passing AS SELECT n FROM generate_series(1, 2000) AS n",
            "VACUUM ANALYZE queue",
        )
        standby = postgres_server.follow(primary)
        try:
            yield standby
        finally:
            postgres_server.stop(standby)
    finally:
        postgres_server.stop(primary)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_can_look_at_a_standby(ask: Ask, name: str) -> None:
    """No query fails there; what writes is refused, and the refusal says what may be done there."""
    (entry,) = entry_points(group="maintainer.tasks", name=name)
    decision = decided(entry.load()(), ask, **LIMITS.get(name, {}))
    if isinstance(decision, sdk.Refuse):
        assert decision.because == "this server is a standby: it repeats what its primary does"
        assert "db-check, db-settings" in decision.hint
    assert (decision.kind == "refuse") == (name == "db-reindex")
    steps = decision.steps if isinstance(decision, sdk.Steps) else ()
    assert {step.risk for step in steps} <= {sdk.Risk.READS}


def test_a_standby_is_read_for_damage(postgres: Postgres, ask: Ask) -> None:
    """Its files are its own; what is not logged is not there to be read."""
    (entry,) = entry_points(group="maintainer.tasks", name="db-check")
    decision = decided(entry.load()(), ask)
    assert isinstance(decision, sdk.Steps)
    actions = [step.action for step in decision.steps]
    checks = [check for action in actions if isinstance(action, sdk.CheckRelations) for check in action.checks]
    assert 'index "public"."queue_n"' in {check.subject for check in checks}
    assert "passing" not in str(checks)
    wait_for(lambda: postgres.sql("SELECT pg_is_in_recovery()") == [(True,)], 60)
    with psycopg.connect(host=str(postgres.folder), port=postgres.port, user="m", dbname="pacs") as session:
        session.autocommit = True
        for check in checks:
            session.execute(check.text.encode())
