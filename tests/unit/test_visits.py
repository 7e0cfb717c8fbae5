"""People sign in and out: the log holds who, and what is different, also when the node could not be looked at."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import CouldNotLook, UsageError
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Intervention, Kind, Record
from maintainer.intervention_log.snapshots import Snapshots
from maintainer.model.task import NodeQuery, Observation, SqlQuery
from maintainer.running.standing import waiting
from maintainer.running.visits import Visit, Visits, announced
from tests.fakes.fake_fleet import NOW, FakeFleet, FakeNode
from tests.unit.engine_bench import inventory


@dataclass(kw_only=True)
class Watched(FakeNode):
    """A node whose program answers a snapshot."""

    snapshot: dict[str, Any] = field(default_factory=lambda: {"kernel": "6.1", "packages": {"x": "1.2"}})

    def observe(self, observation: Observation) -> Any:
        if isinstance(observation, NodeQuery) and observation.program == "snapshot" and self.reachable:
            return self.snapshot
        if isinstance(observation, SqlQuery) and not self.database_up:
            raise CouldNotLook("nothing listens there")
        return super().observe(observation)


@dataclass
class Desk:
    """Where people sign in; each word is a command of its own, as on the command line."""

    state: Path
    node: Watched = field(default_factory=Watched)
    now: datetime = NOW

    def open(self, *, until: datetime = datetime(2026, 3, 2, 18, 0), who: str = "Ann", name: str = "a") -> Visit:  # noqa: DTZ001 (a clock on the wall)
        work = announced(who, "ACME", "on-site", "new disks", until=until, site=self.inventory.site)
        with self.log() as log:
            return self.visits(log).open(name, work)

    def close(self, number: int | None = None, note: str = "", name: str = "a") -> Visit:
        with self.log() as log:
            return self.visits(log).close(name, number, note)

    def log(self) -> InterventionLog:
        return InterventionLog.open(self.state, origin="s", clock=lambda: self.now)

    def visits(self, log: InterventionLog) -> Visits:
        fleet = FakeFleet({"a": self.node})
        snapshots = Snapshots(self.state)
        return Visits(
            log=log,
            snapshots=snapshots,
            inventory=self.inventory,
            look=fleet.look,
            actor="ann@here",
            clock=lambda: self.now,
        )

    @property
    def inventory(self) -> Any:
        return inventory(["a"], {})

    def records(self) -> list[Record]:
        with InterventionLog.read(self.state) as log:
            return list(log.records())


def test_closing_says_what_is_different(tmp_path: Path) -> None:
    """Both ends are in the log, with who, company, place, scope, until, note and the difference."""
    desk = Desk(tmp_path)
    opened = desk.open()
    desk.node.snapshot = {"kernel": "6.1", "packages": {"x": "1.3"}, "services": {"y": {"state": "stopped"}}}
    closed = desk.close(note="two disks replaced")
    assert closed.changes == ("package x 1.2 → 1.3",)
    opening, closing = desk.records()
    assert (opening.kind, closing.kind) == (Kind.INTERVENTION_OPENED, Kind.INTERVENTION_CLOSED)
    assert opening.intervention == Intervention(
        who="Ann", company="ACME", place="on-site", scope="new disks", until="2026-03-02T18:00:00.000000Z"
    )
    assert closing.intervention
    assert (closing.intervention.opened, closing.intervention.note) == (opened.id, "two disks replaced")
    assert closing.text == "package x 1.2 → 1.3"
    assert {opening.actor, closing.actor} == {"ann@here"}


def test_until_is_a_time_on_the_sites_wall(tmp_path: Path) -> None:
    """In Paris, 18:00 of a summer's day is 16:00 UTC."""
    site = Desk(tmp_path).inventory.site.model_copy(update={"timezone": "Europe/Paris"})
    work = announced("Ann", "ACME", "remote", "x", until=datetime(2026, 7, 1, 18, 0), site=site)  # noqa: DTZ001 (as above)
    assert work.until == "2026-07-01T16:00:00.000000Z"


@pytest.mark.parametrize("away", [timedelta(0), timedelta(minutes=-1), timedelta(days=367)])
def test_a_time_that_cannot_be_meant_is_refused(tmp_path: Path, away: timedelta) -> None:
    """An intervention that is over before it begins, or goes on for years, is a slip of the pen."""
    with pytest.raises(UsageError, match="--until is"):
        Desk(tmp_path).open(until=(NOW + away).replace(tzinfo=None))
    assert Desk(tmp_path).records() == []


def test_a_node_that_cannot_be_looked_at_is_opened_and_closed_all_the_same(tmp_path: Path) -> None:
    """The person is there whatever the node says; why there is no snapshot is told and logged."""
    desk = Desk(tmp_path)
    desk.node.reachable = False
    opened = desk.open()
    assert "nobody answers" in opened.not_looked
    desk.node.reachable = True
    closed = desk.close()
    assert closed.changes is None
    assert "no snapshot of the opening" in closed.not_looked
    opening, closing = desk.records()
    assert "nobody answers" in opening.error
    assert closing.text == "not compared with how it was before"


def test_a_node_that_left_the_inventory_can_be_closed(tmp_path: Path) -> None:
    """Nothing may be left open for ever because a section was deleted."""
    desk = Desk(tmp_path)
    with desk.log() as log:
        work = announced("Ann", "ACME", "remote", "x", until=datetime(2026, 3, 2), site=desk.inventory.site)  # noqa: DTZ001 (as above)
        log.append(Kind.INTERVENTION_OPENED, node="gone", intervention=work)
    assert desk.close(name="gone").not_looked == "the node is no longer in the inventory"


def test_a_database_that_does_not_answer_costs_its_version_only(tmp_path: Path) -> None:
    """A snapshot is taken all the same, and the difference says it."""
    desk = Desk(tmp_path)
    desk.open()
    desk.node.database_up = False
    assert desk.close().changes == ("PostgreSQL 180000 → without an answer",)


def test_a_snapshot_that_was_changed_is_not_compared_with(tmp_path: Path) -> None:
    """The log vouches for the snapshot by its digest: an edited one is said to be edited, and the closing stands."""
    desk = Desk(tmp_path)
    desk.open()
    (kept,) = (tmp_path / "snapshots").iterdir()
    kept.write_text(json.dumps({**json.loads(kept.read_text("utf-8")), "kernel": "5.0"}), "utf-8")
    desk.now += timedelta(hours=1)
    closed = desk.close()
    assert closed.changes is None
    assert "not what was stored" in closed.not_looked
    assert len(desk.records()) == 2


def test_which_one_is_asked_when_several_are_open(tmp_path: Path) -> None:
    """Two people on one node: closing needs the number; one that is not open there is refused."""
    desk = Desk(tmp_path)
    first, second = desk.open(), desk.open(who="Bob")
    with pytest.raises(UsageError, match="several") as several:
        desk.close()
    assert several.value.hint == f"add --id with one of {first.id}, {second.id}"
    with pytest.raises(UsageError, match="no intervention 99"):
        desk.close(99)
    assert desk.close(first.id).intervention.who == "Ann"
    assert desk.close().intervention.who == "Bob"
    with pytest.raises(UsageError, match="nobody is at work"):
        desk.close()


def test_status_lists_what_waits_and_what_to_type(tmp_path: Path) -> None:
    """A visit past its time and a frozen group wait for a person; a visit inside its time does not."""
    desk = Desk(tmp_path)
    visit = desk.open()
    with desk.log() as log:
        log.append(Kind.GROUP_FROZEN, node="b", subject="pair", text="b is down")
        ends = log.open_ends()
    assert [one.kind for one in waiting(ends, NOW)] == ["group"]
    late = waiting(ends, NOW + timedelta(days=2))
    assert [(one.kind, one.id, one.node) for one in late] == [
        ("intervention", str(visit.id), "a"),
        ("group", "pair", "b"),
    ]
    assert "maintainer log close a --id 1" in late[0].do
    assert "maintainer group thaw pair --why" in late[1].do


def test_a_long_list_of_changes_fits_a_record(tmp_path: Path) -> None:
    """A whole release of the system: the answer has all, the record as much as fits."""
    desk = Desk(tmp_path)
    desk.open()
    desk.node.snapshot = {"kernel": "6.1", "packages": {"x": "1.2"} | {f"package-{n}": "1.0" for n in range(2000)}}
    closed = desk.close()
    assert closed.changes
    assert len(closed.changes) == 2000
    assert desk.records()[-1].text.endswith("…")
