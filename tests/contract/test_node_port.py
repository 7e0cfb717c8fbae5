"""What the engine relies on at a node, asked of the nodes in memory and of a real practice PACS over SSH alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from maintainer.app import Maintainer, load
from maintainer.errors import ActionFailed, CouldNotLook
from maintainer.model.action import NodeOperation, ProveService, RestartServices, Sql
from maintainer.model.task import NodeQuery, Probe, Recorded, SqlQuery
from maintainer.running.ports import Actor, Observer
from tasks.db_vacuum import TABLES
from tests.fakes.fake_fleet import FakeFleet, FakeNode
from tests.practice_fixture import Practice

SOON = timedelta(seconds=60)


class Bench:
    """One node, in memory or real, and the means to bring it into a state."""

    def __init__(self, fleet: Any, name: str, break_: Callable[[str], object]) -> None:
        self._fleet, self._name, self.break_ = fleet, name, break_

    @contextmanager
    def work(self) -> Iterator[tuple[Observer, Actor]]:
        with self._fleet.work(self._name) as (observer, actor):
            yield observer, actor

    @contextmanager
    def look(self) -> Iterator[Observer]:
        with self._fleet.look(self._name) as observer:
            yield observer


def fake() -> Bench:
    node = FakeNode()
    faults: dict[str, Callable[[], object]] = {
        "hung-archive": lambda: setattr(node, "hung", True),
        "full-spool": lambda: setattr(node, "old_files", 300),
        "dead-rows": lambda: node.dead_rows.update(access_log=90),
    }
    return Bench(FakeFleet({"practice": node}, run="contract"), "practice", lambda fault: faults[fault]())


def real(practice: Practice) -> Bench:
    app = Maintainer(load(practice.inventory))
    with app.read_log() as log:
        return Bench(app.fleet(log, "contract"), "practice", practice.break_)


@pytest.fixture(params=["in-memory", "real"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return fake() if request.param == "in-memory" else real(request.getfixturevalue("practice"))


def state(observer: Observer) -> Any:
    return observer.observe(NodeQuery(program="services", request={}))


RESTART = RestartServices(services=("archive",), stop_first=("archive",))


def test_a_service_is_restarted_and_proven(bench: Bench) -> None:
    """The restart shows in the next look; proof fails while the archive hangs and holds afterwards."""
    bench.break_("hung-archive")
    with bench.work() as (observer, actor):
        before = state(observer)["archive"]["started_at"]
        actor.perform(RestartServices(services=("archive",)), SOON, "step-1")
        assert state(observer)["archive"]["started_at"] == before, "what runs is not stopped for a start"
        with pytest.raises(ActionFailed, match="does not serve"):
            actor.perform(ProveService(within=timedelta(seconds=1)), SOON, "step-2")
        actor.perform(RESTART, SOON, "step-3")
        actor.perform(ProveService(within=timedelta(seconds=30)), SOON, "step-4")
        assert state(observer)["archive"]["state"] == "running"
        assert state(observer)["archive"]["started_at"] != before


def test_a_hung_archive_is_an_answer_not_a_failure_to_look(bench: Bench) -> None:
    """Silence of the archive is a fact: the process runs, the database answers, the archive does not."""
    bench.break_("hung-archive")
    with bench.work() as (observer, _actor):
        assert state(observer)["archive"]["state"] == "running"
        answers: Any = [observer.observe(Probe(by=by)) for by in ("c-echo", "select-1")]
        assert [answer["answered"] for answer in answers] == [False, True]
        assert answers[0]["why"]


def test_the_node_keeps_the_verdict_of_a_step(bench: Bench) -> None:
    """Asked by the step's id, it says how the step ended; of a step that was never sent it knows nothing."""
    with bench.work() as (observer, actor):
        actor.perform(RESTART, SOON, "step-a")
        verdict: Any = observer.observe(NodeQuery(program="operation", request={"id": "step-a"}))
        nothing: Any = observer.observe(NodeQuery(program="operation", request={"id": "step-b"}))
    assert (verdict["state"], verdict["ok"]) == ("finished", True)
    assert nothing["state"] == "unknown-id"


def test_a_node_is_held_while_it_is_worked_on(bench: Bench) -> None:
    """Whoever looks sees by which run; afterwards nobody holds it."""
    with bench.work() as (observer, _actor):
        held: Any = observer.observe(NodeQuery(program="holder", request={}))
        assert held["holder"]["run"] == "contract"
    with bench.look() as observer:
        free: Any = observer.observe(NodeQuery(program="holder", request={}))
    assert free["holder"] is None


def test_old_files_are_gone_from_the_root_after_the_quarantine(bench: Bench) -> None:
    """What the look counted is what the action moves."""
    bench.break_("full-spool")
    look = NodeQuery(program="cleanup", request={})
    with bench.work() as (observer, actor):
        before: Any = observer.observe(look)
        assert before["spool"]["files"] > 0
        actor.perform(NodeOperation(program="quarantine", request={"root": "spool"}), SOON, "step-5")
        after: Any = observer.observe(look)
        assert after["spool"]["files"] == 0


def test_dead_rows_are_gone_after_the_vacuum(bench: Bench) -> None:
    """The query sees dead rows, the statement removes them, the query sees none."""
    bench.break_("dead-rows")
    query = SqlQuery(text=TABLES, parameters={"smallest": 10**6, "age": 10**9, "multixact_age": 10**9})
    with bench.work() as (observer, actor):
        before: Any = observer.observe(query)
        assert [row["name"] for row in before] == ["access_log"]
        assert before[0]["dead_rows"] > 0
        actor.perform(Sql(text='VACUUM (ANALYZE) "public"."access_log"'), SOON, "step-6")
        after: Any = observer.observe(query)
        assert [row["dead_rows"] for row in after] in ([], [0])


def test_what_is_not_on_record_is_empty(bench: Bench) -> None:
    """A measurement that nobody took is an empty history, not an error."""
    with bench.work() as (observer, _actor):
        assert observer.observe(Recorded(measurement="never-taken")) == {}


def test_an_unknown_program_could_not_look(bench: Bench) -> None:
    """A program that the node does not have is said, not taken for an empty answer."""
    with bench.work() as (observer, _actor), pytest.raises(CouldNotLook):
        observer.observe(NodeQuery(program="no-such-program", request={}))
