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
from maintainer.links.postgres_check import CheckingSession, InTrouble, SaysNothing
from maintainer.links.relation_check import check_relations
from maintainer.links.tunnel import Tunnel
from maintainer.model.action import CHECKED_AT, DAMAGE, TRIED_AT, Damage, RelationCheck
from maintainer.model.inventory import Database
from tests.contract.links.postgres_server import Postgres

PLENTY = timedelta(seconds=60)
SOUND = "SELECT count(*) FROM study"
FOUND = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'data_corrupted'; END $$"


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
    ],
)
def test_damage_is_told(checking: CheckingSession, text: str, damage: Damage) -> None:
    """A page that the disk does not give back is damage, too; the session goes on."""
    assert checking.check(text, PLENTY) is damage
    assert checking.check(SOUND, PLENTY) is Damage.NONE


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT pg_sleep(60)", SaysNothing),
        (failing("serialization_failure"), SaysNothing),
        (failing("undefined_file"), SaysNothing),
        (failing("internal_error"), SaysNothing),
        ("SELECT count(*) FROM no_such_table", SaysNothing),
        ("SELECT count(*) FROM secret", SaysNothing),
        ("DELETE FROM study", SaysNothing),
        (failing("disk_full"), InTrouble),
        (failing("lock_not_available"), GaveWay),
    ],
)
def test_only_damage_is_taken_for_damage(checking: CheckingSession, text: str, kind: type[Exception]) -> None:
    """No time limit, refusal, conflict with recovery, trouble of the server's or lock is; nothing can be written."""
    with pytest.raises(kind):
        checking.check(text, timedelta(seconds=1))
    assert checking.check(SOUND, PLENTY) is Damage.NONE


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


def link_of(session: object, *, stopped: bool = False) -> Any:
    return SimpleNamespace(checking=lambda: contextlib.nullcontext(session), stop_asked=lambda: stopped)


def checks(texts: dict[str, str], timeout: timedelta = PLENTY) -> list[RelationCheck]:
    return [RelationCheck(subject=subject, text=text, timeout=timeout) for subject, text in texts.items()]


def on_record(measurements: Any) -> dict[tuple[str, str], float]:
    return {(one["subject"], one["name"]): one["value"] for one in measurements}


def test_one_that_never_ends_holds_up_no_other(checking: CheckingSession) -> None:
    """It has its own time and no more; that it was tried goes on record, and nothing of what it is."""
    texts = {"never ends": "SELECT pg_sleep(60)", "a": SOUND, "refused": "SELECT 1 FROM secret", "b": FOUND}
    found = check_relations(link_of(checking), checks(texts, timedelta(seconds=2)), PLENTY)
    assert (found["checked"], found["damaged"], found["not_checked"]) == (2, 1, 2)
    kept = on_record(found["measurements"])
    assert (kept["a", DAMAGE], kept["b", DAMAGE]) == (0, 2)
    assert kept["b", CHECKED_AT] == pytest.approx(time.time(), abs=60)
    assert kept["never ends", TRIED_AT] == pytest.approx(time.time(), abs=60)
    assert {name for subject, name in kept if subject in {"never ends", "refused"}} == {TRIED_AT}


def test_one_that_is_locked_holds_up_no_other(checking: CheckingSession, postgres: Postgres) -> None:
    """It is left as it was, to be tried again tonight; when it is the only one, the step gives way."""
    texts = {"locked": "SELECT count(*) FROM study", "a": "SELECT 1", "b": FOUND}
    with postgres.session("LOCK TABLE study IN ACCESS EXCLUSIVE MODE"):
        found = check_relations(link_of(checking), checks(texts), PLENTY)
        with pytest.raises(GaveWay):
            check_relations(link_of(checking), checks(texts)[:1], PLENTY)
    assert (found["checked"], found["gave_way"], found["not_checked"]) == (2, 1, 0)
    assert {subject for subject, _ in on_record(found["measurements"])} == {"a", "b"}


def test_what_the_time_of_the_others_was_cut_off_by_is_not_on_record(checking: CheckingSession) -> None:
    """Where the step's time ends in the midst of one, that one is as due as before."""
    texts = {"a": SOUND, "b": FOUND, "c": "SELECT pg_sleep(60)", "d": SOUND}
    found = check_relations(link_of(checking), checks(texts), timedelta(seconds=5))
    assert {subject for subject, _ in on_record(found["measurements"])} == {"a", "b"}


def test_a_step_of_which_none_told_anything_fails(checking: CheckingSession) -> None:
    """That it was tried goes on record all the same."""
    with pytest.raises(SaysNothing) as failed:
        check_relations(link_of(checking), checks({"a": "SELECT pg_sleep(60)"}), timedelta(seconds=2))
    assert set(on_record(failed.value.measurements)) == {("a", TRIED_AT)}


def test_what_was_found_before_the_server_was_lost_is_told() -> None:
    """A relation that brings the server down must not hide the damage that was found before it, and goes last next."""

    def check(text: str, _left: timedelta) -> Damage:
        if text == "breaks it":
            raise LinkLost("the connection to the database was lost while a statement ran", where="pacs-a")
        return Damage.UNREADABLE

    session = SimpleNamespace(check=check)
    three = checks({text: text for text in ("damaged", "breaks it", "left out")})
    assert (found := check_relations(link_of(session), three, PLENTY))["damaged"] == 1
    assert set(on_record(found["measurements"])) == {
        ("damaged", DAMAGE),
        ("damaged", CHECKED_AT),
        ("breaks it", TRIED_AT),
    }
    with pytest.raises(LinkLost) as lost:
        check_relations(link_of(session), three[1:], PLENTY)
    assert set(on_record(lost.value.measurements)) == {("breaks it", TRIED_AT)}


def test_a_person_who_stops_the_run_ends_it_after_one(checking: CheckingSession) -> None:
    """The relation that is being read is read to its end."""
    link = link_of(checking, stopped=True)
    assert check_relations(link, checks(dict.fromkeys("ab", SOUND)), PLENTY)["checked"] == 1
