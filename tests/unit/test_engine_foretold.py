"""How long a step of the database will take is told beforehand, and held against how long it took."""

from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.cli.live import told
from maintainer.cli.plan_view import show_plan
from maintainer.intervention_log.record import Kind
from maintainer.model.action import Sql
from maintainer.model.forecast import Forecast
from maintainer.model.outcome import Done
from maintainer.model.plan import Risk, Step
from maintainer.planning.forecast import Past, forecast
from tests.unit.engine_bench import Night
from tests.unit.test_engine_told_gain import INDEX, night_of

REBUILD = Sql(text="REINDEX INDEX CONCURRENTLY i")
STEP = Step(
    subject=INDEX,
    title="rebuild i",
    reason="bloated",
    action=REBUILD,
    risk=Risk.SLOWER,
    timeout=timedelta(hours=1),
    works_on=200,
)


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        ([], Forecast()),
        ([Past(INDEX, 9), Past(INDEX, 7), Past("another", 1, 200)], Forecast(seconds=9, by="history")),
        (
            [Past("another", 3, 100), Past("one more", 1, 300), Past("of unknown size", 99)],
            Forecast(seconds=2, by="speed"),
        ),
        ([Past("nothing to it", 0, 100)], Forecast()),
    ],
)
def test_by_its_own_history_or_the_speed_of_others(past: list[Past], expected: Forecast) -> None:
    """The longest of the few times it was done, or else its bytes at the speed of all others; or nobody knows."""
    assert forecast(STEP, past) == expected


def with_past(night: Night, subject: str, **measured: float) -> None:
    with night.log() as log:
        log.append(
            Kind.OUTCOME, node="pacs-a", task="db-reindex", subject=subject, ending="done", measured={**measured}
        )


def test_a_plan_tells_time_and_room(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For the index its own evidence, seconds and bytes, for people as for programs; what is unknown is said."""
    night = night_of(tmp_path)
    show_plan(night.plan(), None)
    assert "; how long it takes is not known yet, and up to 150.0 MB of room" in capsys.readouterr().out
    with_past(night, "index another", seconds=20.0, works_on=10_000_000)
    plan = night.plan()
    show_plan(plan, None)
    assert "; takes about 2 min, and up to 150.0 MB of room" in capsys.readouterr().out
    (step,) = plan.entries[0].steps
    assert (step.works_on, step.room, step.forecast) == (
        50_000_000,
        150_000_000,
        Forecast(seconds=100, by="speed"),
    )


def test_the_ending_holds_it_against_what_came_of_it(tmp_path: Path) -> None:
    """On record beside the seconds that it took, and told."""
    night = night_of(tmp_path)
    with_past(night, INDEX, seconds=7.5)
    ending = night.run().tasks[0].steps[0].ending
    outcome = [one for one in night.records() if one.kind is Kind.OUTCOME][-1]
    kept = {name: outcome.measured[name] for name in ("predicted_seconds", "predicted_by", "works_on")}
    assert kept == {"predicted_seconds": 7.5, "predicted_by": "history", "works_on": 50_000_000}
    assert "(about 7.5 s were predicted)" in told(ending)


def test_wal_is_told_as_what_it_is() -> None:
    """The statement's own, or an upper bound in which the clinic's is counted as well."""
    assert told(Done(measured={"wal_bytes": 6_300_000, "wal_of": "statement"})) == "done; 6.3 MB of WAL"
    bound = Done(measured={"wal_bytes": 6_300_000, "wal_of": "server"})
    assert told(bound) == "done; at most 6.3 MB of WAL (the whole server's)"
