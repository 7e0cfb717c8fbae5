"""What db-analyze sees of tables and partitioned tables on real servers, and that it is done once."""

import pytest

from maintainer import sdk
from tasks.db_analyze import TABLES, DbAnalyze
from tests.contract.database.conftest import ODD, Ask, another, decided
from tests.contract.links.postgres_server import Postgres
from tests.contract.links.servers import wait_for

ROWS = 1000


@pytest.fixture(scope="module", autouse=True)
def _relations(postgres: Postgres) -> None:
    """A table with an odd name, one that is partitioned, and kinds that are left alone."""
    postgres.sql(
        "CREATE TABLE odd (n int)",
        f"ALTER TABLE odd RENAME TO {sdk.quoted(ODD)}",
        f"INSERT INTO {sdk.quoted(ODD)} SELECT generate_series(1, 2000)",
        f"ALTER TABLE {sdk.quoted(ODD)} OWNER TO maintainer",
        "CREATE TABLE parts (n int) PARTITION BY RANGE (n)",
        "CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (100000)",
        "INSERT INTO parts SELECT generate_series(1, 2000)",
        "ALTER TABLE parts OWNER TO maintainer",
        "ALTER TABLE part OWNER TO maintainer",
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing",
        "CREATE FOREIGN TABLE abroad (n int) SERVER elsewhere",
    )


def seen(ask: Ask) -> dict[str, int]:
    query = sdk.SqlQuery(text=TABLES, parameters={"at_least": ROWS})
    return {row["name"]: row["changed_rows"] for row in ask(query)}


def read_of(ask: Ask) -> dict[str, int | None]:
    query = sdk.SqlQuery(text=TABLES, parameters={"at_least": ROWS})
    return {row["name"]: row["bytes"] for row in ask(query)}


def due(ask: Ask) -> dict[str, str]:
    decision = decided(DbAnalyze(), ask, at_least=ROWS)
    steps = decision.steps if isinstance(decision, sdk.Steps) else ()
    return {step.subject: step.action.text for step in steps if isinstance(step.action, sdk.Sql)}


def test_what_has_changed_is_analyzed_once(postgres: Postgres, ask: Ask) -> None:
    """Tables, partitions and the partitioned table; not the foreign one, not another session's temporary one."""
    with another(postgres, "CREATE TEMP TABLE mine AS SELECT n FROM generate_series(1, 2000) AS n"):
        wait_for(lambda: {ODD, "part", "parts"} <= seen(ask).keys(), 60)
        assert not {"abroad", "mine"} & seen(ask).keys()
    first = due(ask)
    assert {f'table "public".{sdk.quoted(ODD)}', 'table "public"."part"', 'table "public"."parts"'} <= set(first)
    postgres.sql(*first.values())
    wait_for(lambda: not due(ask), 60)


def test_what_changes_in_partitions_counts_for_their_table(postgres: Postgres, ask: Ask) -> None:
    """It is due when its partitions are, and analyzing it analyzes them."""
    postgres.sql("ANALYZE parts", "INSERT INTO parts SELECT generate_series(1, 2000)")
    wait_for(lambda: {"part", "parts"} <= seen(ask).keys(), 60)
    postgres.sql("ANALYZE (SKIP_LOCKED) parts")
    wait_for(lambda: not {"part", "parts"} & seen(ask).keys(), 60)


def test_what_is_read_of_a_table_is_told(postgres: Postgres, ask: Ask) -> None:
    """All of it or a sample; of one with partitions, that of all of them; and nobody is waited for to learn it."""
    postgres.sql(
        "CREATE TABLE wide AS SELECT n FROM generate_series(1, 100000) AS n",
        "INSERT INTO parts SELECT n FROM generate_series(1, 9000) AS n",
    )
    wait_for(lambda: {"wide", "part", "parts"} <= seen(ask).keys(), 60)
    whole, part = (postgres.sql(f"SELECT pg_relation_size('{name}')")[0][0] for name in ("wide", "part"))
    assert {"wide": whole, "part": part, "parts": part}.items() <= read_of(ask).items()
    postgres.sql("ALTER DATABASE pacs SET default_statistics_target = 1")
    assert read_of(ask)["wide"] == 300 * 8192 < whole
    with postgres.session("LOCK TABLE parts"):
        assert read_of(ask)["part"] is None
    postgres.sql("ALTER DATABASE pacs RESET default_statistics_target", "DROP TABLE wide")


def test_what_lost_its_statistics_is_analyzed_once(postgres: Postgres, ask: Ask) -> None:
    """What has changed in it is unknown until then, however little was changed since."""
    postgres.sql(
        "CREATE TABLE lost AS SELECT n FROM generate_series(1, 3000) AS n",
        "ALTER TABLE lost OWNER TO maintainer",
    )
    wait_for(lambda: "lost" in seen(ask), 60)
    postgres.sql("ANALYZE lost")
    wait_for(lambda: "lost" not in seen(ask), 60)
    postgres.sql("SELECT pg_stat_reset()")
    wait_for(lambda: 'table "public"."lost"' in due(ask), 60)
    postgres.sql(*due(ask).values())
    wait_for(lambda: 'table "public"."lost"' not in due(ask), 60)
