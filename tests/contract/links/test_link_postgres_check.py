"""What the session that reads relations whole makes of a server's answers, against a real one."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.errors import GaveWay, LinkLost
from maintainer.links.postgres_check import CheckingSession, SaysNothing
from maintainer.links.relation_check import check_relations
from maintainer.links.tunnel import Tunnel
from maintainer.model.inventory import Database
from maintainer.model.plan import CHECKED_AT, DAMAGE, Damage, RelationCheck
from tests.contract.links.postgres_server import Postgres

PLENTY = timedelta(seconds=60)
SOUND = "SELECT count(*) FROM study"


@pytest.fixture
def checking(tunnel: Tunnel, described: Callable[..., Database]) -> Iterator[CheckingSession]:
    with CheckingSession(tunnel, described(), "01J") as session:
        yield session


def failing(code: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$"


@pytest.mark.parametrize(
    ("text", "damage"),
    [
        (SOUND, Damage.NONE),
        (failing("index_corrupted"), Damage.INCONSISTENT),
        (failing("data_corrupted"), Damage.UNREADABLE),
        (failing("io_error"), Damage.UNREADABLE),
        (failing("undefined_file"), Damage.NOT_CHECKED),
        (failing("internal_error"), Damage.NOT_CHECKED),
        ("SELECT count(*) FROM no_such_table", Damage.NOT_CHECKED),
        ("SELECT count(*) FROM secret", Damage.NOT_CHECKED),
        ("DELETE FROM study", Damage.NOT_CHECKED),
    ],
)
def test_only_damage_is_taken_for_damage(checking: CheckingSession, text: str, damage: Damage) -> None:
    """A page that the disk does not give back is damage; what a server refuses says nothing; nothing can be written."""
    assert checking.check(text, PLENTY) is damage
    assert checking.check(SOUND, PLENTY) is Damage.NONE


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT pg_sleep(60)", SaysNothing),
        (failing("serialization_failure"), SaysNothing),
        (failing("disk_full"), SaysNothing),
        (failing("lock_not_available"), GaveWay),
    ],
)
def test_what_did_not_end_says_nothing(checking: CheckingSession, text: str, kind: type[Exception]) -> None:
    """A time limit, a conflict with recovery, trouble of the server's own, or a lock that somebody holds."""
    with pytest.raises(kind):
        checking.check(text, timedelta(seconds=1))


def test_it_gives_way(checking: CheckingSession, postgres: Postgres) -> None:
    """Reading holds a lock too: whoever wants to change the table meanwhile is let through."""
    waited: list[float] = []

    def change() -> None:
        time.sleep(1)
        begun = time.monotonic()
        postgres.sql("ALTER TABLE study ADD COLUMN passing int", "ALTER TABLE study DROP COLUMN passing")
        waited.append(time.monotonic() - begun)

    person = threading.Thread(target=change)
    person.start()
    with pytest.raises(GaveWay):
        checking.check("SELECT pg_sleep(20) FROM study LIMIT 1", PLENTY)
    person.join()
    assert waited[0] < 10


def test_all_that_there_is_time_for(checking: CheckingSession) -> None:
    """What comes after one that did not end is left for another time; what was read before it is told."""
    link: Any = SimpleNamespace(checking=lambda: checking, stop_asked=lambda: False)
    texts = {"a": SOUND, "b": failing("data_corrupted"), "c": "SELECT pg_sleep(60)", "d": SOUND}
    found = check_relations(link, [RelationCheck(subject=s, text=t) for s, t in texts.items()], timedelta(seconds=5))
    assert (found["checked"], found["damaged"], found["not_checked"]) == (2, 1, 0)
    measured: Any = found["measurements"]
    kept = {(one["subject"], one["name"]): one["value"] for one in measured}
    assert (kept["a", DAMAGE], kept["b", DAMAGE]) == (0, 2)
    assert kept["b", CHECKED_AT] == pytest.approx(time.time(), abs=60)
    assert {subject for subject, _ in kept} == {"a", "b"}


def test_what_was_found_before_the_server_was_lost_is_told() -> None:
    """A relation that brings the server down each night must not hide the damage that was found before it."""

    def check(text: str, _left: timedelta) -> Damage:
        if text == "breaks it":
            raise LinkLost("the connection to the database was lost while a statement ran", where="pacs-a")
        return Damage.UNREADABLE

    session = contextlib.nullcontext(SimpleNamespace(check=check))
    link: Any = SimpleNamespace(checking=lambda: session, stop_asked=lambda: False)
    sound_and_not = [RelationCheck(subject=text, text=text) for text in ("damaged", "breaks it", "left out")]
    assert (found := check_relations(link, sound_and_not, PLENTY))["damaged"] == 1
    assert found["checked"] == 1
    with pytest.raises(LinkLost):
        check_relations(link, sound_and_not[1:], PLENTY)


def test_a_person_who_stops_the_run_ends_it_after_one(checking: CheckingSession) -> None:
    """The relation that is being read is read to its end."""
    link: Any = SimpleNamespace(checking=lambda: checking, stop_asked=lambda: True)
    checks = [RelationCheck(subject=subject, text=SOUND) for subject in "ab"]
    assert check_relations(link, checks, PLENTY)["checked"] == 1
