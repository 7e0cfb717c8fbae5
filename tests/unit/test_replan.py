"""A plan file against what is due now: only what was approved, exactly as it was approved."""

import datetime as dt

import pytest

from maintainer.model.action import Action, Drain, NodeOperation, RestartServices, Sql
from maintainer.model.plan import Risk, Step
from maintainer.planning.replan import replan


def step(action: Action, subject: str = "s", risk: Risk = Risk.SLOWER, title: str = "t") -> Step:
    return Step(subject=subject, title=title, reason="r", action=action, risk=risk, timeout=dt.timedelta(minutes=1))


VACUUM = step(Sql(text="VACUUM a"))
WAIT = step(Drain(within=dt.timedelta(minutes=5)))
START, RESTART = (step(RestartServices(services=("archive",), stop_first=stop)) for stop in ((), ("archive",)))


@pytest.mark.parametrize(
    ("approved", "due"),
    [
        pytest.param((VACUUM,), (step(Sql(text="VACUUM FULL a")),), id="another statement"),
        pytest.param((VACUUM,), (step(VACUUM.action, risk=Risk.OUTAGE),), id="a higher risk"),
        pytest.param((START,), (RESTART,), id="a stop before the start"),
        pytest.param((WAIT, RESTART), (RESTART,), id="a restart without the waiting"),
        pytest.param((WAIT, RESTART), (RESTART, WAIT), id="another order"),
        pytest.param((WAIT, RESTART), (WAIT, RESTART, RESTART), id="one step more"),
        pytest.param(
            (step(NodeOperation(program="quarantine", request={"root": "logs"})),),
            (step(NodeOperation(program="quarantine", request={"root": "spool"})),),
            id="another folder",
        ),
    ],
)
def test_what_differs_from_what_was_approved_does_not_run(approved: tuple[Step, ...], due: tuple[Step, ...]) -> None:
    """The same subject with any other effect waits for a plan of its own, as a whole."""
    found = replan(approved, due)
    assert (found.run, found.not_approved, found.no_longer_due) == ((), due, ())


def test_the_words_of_a_step_are_not_part_of_what_was_approved() -> None:
    """Figures in titles change between the look by day and the look by night; what is done does not."""
    tonight = step(VACUUM.action, title="another title")
    assert replan((VACUUM,), (tonight,)).run == (tonight,)


def test_how_fast_a_statement_works_is_not_part_of_what_was_approved() -> None:
    """By night the clinic is less busy than by day when it was planned; the step of now runs, at its own pace."""
    tonight = step(Sql(text="VACUUM a", settings={"vacuum_cost_limit": 1000}))
    assert replan((VACUUM,), (tonight,)).run == (tonight,)


def test_each_subject_is_judged_by_itself() -> None:
    """One that is gone and one that is new leave the approved one alone."""
    gone, new = step(VACUUM.action, subject="gone"), step(VACUUM.action, subject="new")
    found = replan((VACUUM, gone), (VACUUM, new))
    assert (found.run, found.not_approved, found.no_longer_due) == ((VACUUM,), (new,), (gone,))
