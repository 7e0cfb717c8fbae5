"""What db-check asks of real servers, and what its statements say of relations that are damaged on disk."""

import time
from typing import Any

import psycopg
import pytest

from maintainer import sdk
from tasks.db_check import RELATIONS, DbCheck
from tests.contract.database.conftest import ODD, Ask, decided, offline
from tests.contract.links.postgres_server import Postgres

PAGE = 8192


@pytest.fixture(scope="module", autouse=True)
def _relations(postgres: Postgres) -> None:
    """Tables to be damaged, one with a name that needs quoting, and the rights that the set-up grants."""
    postgres.sql(
        "CREATE EXTENSION amcheck",
        "GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean), verify_heapam TO m",
        "CREATE TABLE odd AS SELECT n, md5(n::text) AS word FROM generate_series(1, 5000) AS n",
        "CREATE INDEX odd_index ON odd (word)",
        f"ALTER INDEX odd_index RENAME TO {sdk.quoted(ODD)}",
        f"ALTER TABLE odd RENAME TO {sdk.quoted(ODD + '$check$')}",
        f"ALTER TABLE {sdk.quoted(ODD + '$check$')} OWNER TO maintainer",
        "CREATE TABLE parts (n int PRIMARY KEY) PARTITION BY RANGE (n)",
        "CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (100000)",
        "INSERT INTO parts SELECT generate_series(1, 100)",
        "VACUUM ANALYZE",
    )


def statements(decision: sdk.Decision) -> dict[str, str]:
    steps = decision.steps if isinstance(decision, sdk.Steps) else ()
    actions = [step.action for step in steps if isinstance(step.action, sdk.CheckRelations)]
    return {check.subject: check.text for action in actions for check in action.checks}


def test_everything_is_checked_and_sound(postgres: Postgres, ask: Ask) -> None:
    """Catalogs, partitions and odd names too; each statement may be run by the role, in a session that cannot write."""
    wanted = statements(decided(DbCheck(), ask))
    assert {f'index "public".{sdk.quoted(ODD)}', 'table "public"."part"', 'table "pg_catalog"."pg_class"'} <= set(
        wanted
    )
    assert not [subject for subject in wanted if '"parts"' in subject]
    folder, options = str(postgres.folder), "-c default_transaction_read_only=on"
    with psycopg.connect(host=folder, port=postgres.port, user="m", dbname="pacs", options=options) as session:
        session.autocommit = True
        for text in wanted.values():
            session.execute(text.encode(), binary=True)


@pytest.mark.fault(36)
def test_what_somebody_has_to_himself_hides_no_other(postgres: Postgres, ask: Ask) -> None:
    """The look does not wait for it, and what is known of it is told; its time comes when it is free."""
    postgres.sql("CREATE TABLE his AS SELECT n FROM generate_series(1, 100) AS n", "CREATE INDEX his_n ON his (n)")
    both = {'table "public"."his"', 'index "public"."his_n"'}
    known = {sdk.DAMAGE: {'table "public"."his"': {"least": 1.0, "last": 1.0}}}
    with postgres.session("REINDEX TABLE his", "LOCK TABLE his"):
        seen = decided(DbCheck(), ask, known)
    assert 'table "public"."part"' in statements(seen)
    assert not both & statements(seen).keys()
    (not_now,) = (one.evidence for one in seen.findings if one.cause == "check-not-now")
    assert (not_now["relations"], {*not_now["first"]}) == (2, both)
    assert causes(seen)['table "public"."his"'] == "table-damaged"
    assert both <= statements(decided(DbCheck(), ask)).keys()
    postgres.sql("DROP TABLE his")


def test_a_table_is_read_with_its_toast_table(postgres: Postgres, ask: Ask) -> None:
    """What lies beside the table is read for it as well; an index is compared with the table alone."""
    postgres.sql(
        "CREATE TABLE long (pk int PRIMARY KEY, text text)",
        "ALTER TABLE long ALTER COLUMN text SET STORAGE EXTERNAL",
        "INSERT INTO long SELECT n, repeat(md5(n::text), 1000) FROM generate_series(1, 100) AS n",
        "ALTER TABLE long OWNER TO maintainer",
    )
    ((table, toast, index),) = postgres.sql(
        "SELECT pg_relation_size('long'), pg_relation_size(reltoastrelid), pg_relation_size('long_pkey')"
        " FROM pg_class WHERE oid = 'long'::regclass"
    )
    found = {row["quoted"]: (row["bytes"], row["rebuilds"]) for row in ask(sdk.SqlQuery(text=RELATIONS))}
    assert toast > 1_000_000
    assert found['"public"."long"'] == (table + toast, None)
    assert found['"public"."long_pkey"'] == (table + index, index)
    assert (toast, None) in found.values()
    postgres.sql("DROP TABLE long")


def overwrite(postgres: Postgres, relation: str, *, bytes_from_end: int, content: bytes) -> None:
    """Change some bytes in the second page of a relation's file, while the server is down."""
    ((path,),) = postgres.sql(f"SELECT pg_relation_filepath('{relation}')")
    with offline(postgres) as data, (data / str(path)).open("r+b") as file:
        file.seek(2 * PAGE - bytes_from_end)
        file.write(content)


class Night:
    """Nights in a row: what the statements of one are found to say is on record for the next look."""

    def __init__(self, postgres: Postgres, ask: Ask) -> None:
        self._postgres, self._ask = postgres, ask
        self._record: dict[str, Any] = {sdk.DAMAGE: {}, sdk.CHECKED_AT: {}}

    def look(self) -> sdk.Decision:
        return decided(DbCheck(), self._ask, self._record)

    def do(self, decision: sdk.Decision) -> None:
        for step in decision.steps if isinstance(decision, sdk.Steps) else ():
            if isinstance(step.action, sdk.Sql):
                self._postgres.sql(step.action.text)
            elif isinstance(step.action, sdk.CheckRelations):
                for check in step.action.checks:
                    self._keep(check.subject, self._verdict(check.text))

    def _verdict(self, text: str) -> sdk.Damage:
        found = {"XX001": sdk.Damage.UNREADABLE, "XX002": sdk.Damage.INCONSISTENT}
        try:
            self._postgres.sql(text)
        except psycopg.Error as error:
            return found[error.sqlstate or ""]
        return sdk.Damage.NONE

    def _keep(self, subject: str, damage: sdk.Damage) -> None:
        for name, value in ((sdk.DAMAGE, float(damage)), (sdk.CHECKED_AT, time.time())):
            self._record[name][subject] = {"least": value, "last": value}


def causes(decision: sdk.Decision) -> dict[str, str]:
    return {one.subject: one.cause for one in decision.findings if one.severity is sdk.Severity.CRITICAL}


@pytest.mark.fault(33)
def test_a_damaged_index_page_is_found_repaired_and_found_gone(postgres: Postgres, ask: Ask) -> None:
    """The index and nothing else; its table was checked in the same look, so that the next one rebuilds it."""
    index = f'index "public".{sdk.quoted(ODD)}'
    overwrite(postgres, f"public.{sdk.quoted(ODD)}", bytes_from_end=100, content=b"\x5a")
    night = Night(postgres, ask)
    night.do(night.look())
    found = night.look()
    assert {subject for subject, cause in causes(found).items() if cause != "checksum-failures"} == {index}
    if not isinstance(found, sdk.Steps) or found.steps[0].subject != index:
        night.do(found)  # its table is checked first, where that was before the index
        found = night.look()
    assert isinstance(found, sdk.Steps)
    assert [step.subject for step in found.steps] == [index, index]
    night.do(found)
    healed = night.look()
    assert healed.kind == "nothing"
    assert index not in causes(healed)


@pytest.mark.fault(34)
def test_a_damaged_table_page_is_critical_and_left_as_it_is(postgres: Postgres, ask: Ask) -> None:
    """No step is ever due for it, nor for its indexes."""
    postgres.sql(
        "CREATE TABLE victim AS SELECT n, md5(n::text) AS word FROM generate_series(1, 5000) AS n",
        "CREATE INDEX victim_word ON victim (word)",
    )
    overwrite(postgres, "victim", bytes_from_end=200, content=b"\xff" * 200)
    night = Night(postgres, ask)
    for _ in range(3):
        night.do(night.look())
    found = night.look()
    assert causes(found)['table "public"."victim"'] == "table-damaged"
    assert "victim" not in " ".join(step.title for step in (found.steps if isinstance(found, sdk.Steps) else ()))
    postgres.sql("DROP TABLE victim")


def test_a_collation_of_another_version_is_told_by_its_indexes(postgres: Postgres, ask: Ask) -> None:
    """Those sorted by a collation of its own, and, from 15 on, those sorted by the database's."""
    (known,) = postgres.sql("SELECT count(*) FROM pg_collation WHERE collversion IS NOT NULL AND collprovider = 'i'")
    if not known[0]:
        pytest.skip("this server was built without ICU")
    postgres.sql(
        'CREATE COLLATION sorted FROM "und-x-icu"',
        "CREATE TABLE names (name text COLLATE sorted, other text)",
        "CREATE INDEX names_name ON names (name)",
        "CREATE INDEX names_other ON names (other)",
        "UPDATE pg_collation SET collversion = '1.0' WHERE collname = 'sorted'",
        "UPDATE pg_database SET datcollversion = '1.0' WHERE datname = 'pacs'",
    )
    decision = decided(DbCheck(), ask)
    found = {one.subject: one.evidence for one in decision.findings if one.cause == "collation-drift"}
    assert found['collation "sorted"']["first"] == ['index "public"."names_name"']
    assert found['collation "sorted"']["was"] == "1.0"
    assert 'index "public"."names_other"' in str(found['collation "default"']["first"])
    postgres.sql("DROP TABLE names", "UPDATE pg_database SET datcollversion = NULL WHERE datname = 'pacs'")


@pytest.mark.fault(37)
def test_a_role_that_may_call_nothing_cannot_tell(postgres: Postgres, ask: Ask) -> None:
    """Without EXECUTE, no relation is taken for sound."""
    postgres.sql("CREATE ROLE other LOGIN")
    decision = decided(DbCheck(), ask, role="other")
    assert isinstance(decision, sdk.Refuse)
    assert decision.because.startswith("cannot tell")


def test_failed_checksums_are_counted_where_they_are_kept(postgres: Postgres, ask: Ask) -> None:
    """Where they are off, that is an answer of its own, and not zero."""
    ((kept,),) = postgres.sql("SHOW data_checksums")
    told = {str(one.evidence.get("what")) for one in decided(DbCheck(), ask).findings}
    assert ("data checksums" in told) == (kept == "off")
