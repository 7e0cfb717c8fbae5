"""Reading a database for damage, as an operator sees it: a check, a flipped bit, a rebuild in the same night."""

import re

import pytest

from maintainer.practice import database
from maintainer.practice.postgres import Postgres
from tests.e2e.driver import Controller, endings, findings, steps
from tests.practice_fixture import Practice

TASK = '[tasks.db-check]\nwindow = "any-time"\n\n[tasks.db-vacuum]'
INDEX = 'index "public"."access_log_at"'
PAGE = 8192


REPAIRED = [
    ('rebuild "public"."access_log_at"', "done"),
    ('check "public"."access_log_at" once more', "done"),
]


@pytest.mark.fault(33)
def test_damage_is_found_dealt_with_and_then_gone(mended: Practice, alone: Controller) -> None:
    """The first night reads everything, finds the index, checks its table, rebuilds it and reads it again."""
    alone.edit("[tasks.db-vacuum]", TASK)
    mended.break_("dead-rows")
    _flip_a_bit(mended, "access_log_at")
    planned = steps(alone.json("plan", "--task", "db-check"))
    assert planned
    assert all(re.fullmatch(r"check .* and \d+ more \(\d+\.\d MB\)", title) for _, _, title in planned)
    run = alone.here("run", "--task", "db-check", "--json").document
    assert {ending for *_, ending in endings(run)} == {"done"}
    assert [(title, ending) for _, _, title, ending in endings(run)][-2:] == REPAIRED
    assert ("practice", "index-damaged", INDEX) in findings(run["tasks"])
    assert steps(alone.json("plan", "--task", "db-check")) == []
    trends = {one["subject"]: one for one in alone.json("status", "--task", "db-check")["trends"]}
    assert (trends[INDEX]["done"], trends[INDEX]["failed"]) == (2, 0)
    assert "access_log_at" in alone.here("status", "--task", "db-check").stdout
    assert alone.json("log", "verify")["verified"] is True


def _flip_a_bit(practice: Practice, index: str) -> None:
    """In the middle of the index's second page, while its server is down."""
    with database.session(practice.layout, database.SUPERUSER) as server:
        row = server.execute("SELECT pg_relation_filepath(%s::regclass)", [index]).fetchone()
    assert row is not None
    server_of = Postgres(practice.layout)
    server_of.stop()
    with (practice.layout.database / row[0]).open("r+b") as file:
        file.seek(PAGE + PAGE - 100)
        byte = file.read(1)[0]
        file.seek(PAGE + PAGE - 100)
        file.write(bytes([byte ^ 1]))
    server_of.start()
