"""What gave way to the clinic: tried again later, while the night lasts, and never an alarm (FAULTS 36)."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from maintainer.errors import Exit, GaveWay
from maintainer.intervention_log.record import Kind
from maintainer.model.action import Action, Sql
from maintainer.model.outcome import Done, NotRun, Reason
from maintainer.running.execute import AGAIN_AFTER
from tests.fakes.fake_fleet import FakeNode
from tests.unit.engine_bench import Night, endings, one_node

WAITED = GaveWay("it was cancelled: it kept Orthanc (client backend) waiting for 0.6 s", where="pacs-a")


def in_the_way(times: int, *, of: str = '"u"') -> Callable[[Action], None]:
    """Give way so many times on one table."""
    left = [times]

    def trouble(action: Action) -> None:
        if isinstance(action, Sql) and of in action.text and left[0]:
            left[0] -= 1
            raise WAITED

    return trouble


def night_of(folder: Path, node: FakeNode, **more: timedelta) -> Night:
    night = one_node(folder, node, tasks=["db-vacuum"])
    for name, value in more.items():
        setattr(night, name, value)
    return night


def test_it_is_tried_again_after_the_others(tmp_path: Path) -> None:
    """The other table has its turn first; then the step is done, and the night is fine."""
    node = FakeNode(dead_rows={"t": 50, "u": 90}, trouble=in_the_way(1))
    night = night_of(tmp_path, node)
    report = night.run()
    assert endings(report) == [('vacuum "public"."t"', "done"), ('vacuum "public"."u"', "done")]
    assert report.exit() is Exit.FINE


def test_each_attempt_is_on_record(tmp_path: Path) -> None:
    """Every intent has its one ending; the log tells for whom the first gave way."""
    night = night_of(tmp_path, FakeNode(dead_rows={"u": 90}, trouble=in_the_way(2)))
    night.run()
    records = night.records()
    intents = [one.step for one in records if one.kind is Kind.INTENT]
    outcomes = [one for one in records if one.kind is Kind.OUTCOME]
    assert len(intents) == 3
    assert [one.step for one in outcomes] == intents
    assert [(one.ending, one.reason) for one in outcomes] == [("not-run", "gave-way")] * 2 + [("done", "")]
    assert "kept Orthanc (client backend) waiting" in outcomes[0].error


def test_it_is_tried_again_at_the_pace_of_that_moment(tmp_path: Path) -> None:
    """Who gave way to a clinic that has begun to work comes back with the same statement, and takes less."""
    node = FakeNode(dead_rows={"u": 90}, trouble=in_the_way(1))
    give_way = node.trouble

    def trouble(action: Action) -> None:
        node.active_clients = 5
        give_way(action)

    node.trouble = trouble
    assert endings(night_of(tmp_path, node).run()) == [('vacuum "public"."u"', "done")]
    (done,) = node.performed
    assert isinstance(done, Sql)
    assert done.settings["max_parallel_maintenance_workers"] == 0


def test_in_the_end_it_is_left_for_another_night(tmp_path: Path) -> None:
    """After so many attempts it is not run, which is a refusal and no failure; the node's night goes on."""
    node = FakeNode(dead_rows={"t": 50, "u": 90}, trouble=in_the_way(99))
    report = night_of(tmp_path, node).run()
    by_title = {one.step.title: one.ending for one in report.tasks[0].steps}
    assert by_title['vacuum "public"."u"'] == NotRun(reason=Reason.GAVE_WAY, detail=WAITED.what)
    assert isinstance(by_title['vacuum "public"."t"'], Done)
    assert len(node.steps) == 1 + 1 + len(AGAIN_AFTER)
    assert report.exit() is Exit.REFUSED


def test_it_is_not_waited_for_beyond_the_window(tmp_path: Path) -> None:
    """A window that closes before the next attempt ends it."""
    node = FakeNode(dead_rows={"u": 90}, trouble=in_the_way(99))
    night = night_of(tmp_path, node, left=timedelta(seconds=AGAIN_AFTER[0] - 1))
    night.params = {"timeout": "5s"}
    report = night.run()
    assert endings(report) == [('vacuum "public"."u"', "not-run")]
    assert len(node.steps) == 1


def test_a_person_who_stops_the_run_does_not_wait_for_it(tmp_path: Path) -> None:
    """The pause before the next attempt ends at once."""
    node = FakeNode(dead_rows={"u": 90})
    night = night_of(tmp_path, node)

    def trouble(_: Action) -> None:
        night.stop.ask()
        raise WAITED

    node.trouble = trouble
    report = night.run()
    assert [one.ending for one in report.tasks[0].steps] == [NotRun(reason=Reason.GAVE_WAY, detail=WAITED.what)]
    assert len(node.steps) == 1


def test_what_somebody_else_has_done_meanwhile_is_left(tmp_path: Path) -> None:
    """Before the next attempt comes a look: autovacuum was there, so nothing is due."""
    node = FakeNode(dead_rows={"u": 90}, trouble=in_the_way(99))
    node.when_looked_at = lambda _: node.dead_rows.clear() if node.steps else None
    report = night_of(tmp_path, node).run()
    assert [one.ending for one in report.tasks[0].steps] == [NotRun(reason=Reason.NO_LONGER_DUE)]
    assert report.exit() is Exit.FINE
