"""Whether a step may start: clocks, window, time left, and who serves meanwhile."""

import datetime as dt
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintainer.model.action import ProveService, RestartServices, Sql
from maintainer.model.outcome import NotRun, Reason
from maintainer.model.plan import Risk, Step
from maintainer.model.window import Occurrence
from maintainer.planning.admission import ClockWatch, PartnerProof, admit

OPENS = dt.datetime(2026, 6, 5, 20, tzinfo=dt.UTC)
CLOSES = dt.datetime(2026, 6, 6, 3, tzinfo=dt.UTC)
NIGHT = Occurrence(window="nightly", day=dt.date(2026, 6, 5), opens=OPENS, closes=CLOSES)
MINUTE = dt.timedelta(minutes=1)

VACUUM = Step(
    subject="t", title="t", reason="r", action=Sql(text="VACUUM t"), risk=Risk.SLOWER, timeout=dt.timedelta(hours=1)
)
RESTART = Step(
    subject="archive",
    title="t",
    reason="r",
    action=RestartServices(services=("archive",), stop_first=("archive",)),
    risk=Risk.OUTAGE,
    timeout=5 * MINUTE,
)
PROVE = RESTART.model_copy(update={"action": ProveService(within=5 * MINUTE), "risk": Risk.READS})


def clock(
    *, elapsed: dt.timedelta = MINUTE, shown: dt.timedelta | None = None, node_ahead: dt.timedelta | None = None
) -> ClockWatch:
    """Make the clocks of a run that lasts `elapsed` while its wall clock advanced by `shown`."""
    now = OPENS + (elapsed if shown is None else shown)
    return ClockWatch(
        started_wall=OPENS,
        started_mono=100.0,
        now_wall=now,
        now_mono=100.0 + elapsed.total_seconds(),
        node_ahead=node_ahead,
    )


def ask(
    *steps: Step,
    now: dt.datetime = OPENS + MINUTE,
    occurrence: Occurrence | None = NIGHT,
    predicted: dt.timedelta = MINUTE,
    watch: ClockWatch | None = None,
    partners: Collection[str] = (),
    proofs: Collection[PartnerProof] = (),
) -> NotRun | None:
    return admit(
        *(steps or (VACUUM,)),
        now=now,
        occurrence=occurrence,
        predicted=predicted,
        clock=watch or clock(),
        partners=partners,
        proofs=proofs,
    )


def yes(node: str) -> PartnerProof:
    return PartnerProof(node=node, serves=True, why="C-ECHO answered")


def no(node: str, why: str = "no answer within 10 s") -> PartnerProof:
    return PartnerProof(node=node, serves=False, why=why)


@pytest.mark.parametrize("now", [OPENS - MINUTE, CLOSES, CLOSES + MINUTE])
def test_no_step_starts_outside_its_window(now: dt.datetime) -> None:
    """Before it opens, at the moment it closes, and after; the detail says when it is open."""
    refused = ask(now=now)
    assert refused == NotRun(
        reason=Reason.OUTSIDE_WINDOW, detail="window nightly is open from 2026-06-05 20:00Z to 2026-06-06 03:00Z"
    )


def test_no_step_starts_without_a_window() -> None:
    """A task whose window is not open has no occurrence."""
    assert ask(occurrence=None) == NotRun(reason=Reason.OUTSIDE_WINDOW, detail="no window of this task is open")


def test_a_step_that_would_not_end_inside_the_window_does_not_start() -> None:
    """Ending with the window is inside; a microsecond later is not."""
    now = CLOSES - 20 * MINUTE
    assert ask(now=now, predicted=20 * MINUTE) is None
    assert ask(now=now, predicted=20 * MINUTE + dt.timedelta.resolution) == NotRun(
        reason=Reason.NO_TIME_LEFT, detail="window nightly closes in 20 min; this takes 20 min"
    )
    refused = ask(now=now, predicted=dt.timedelta(hours=2, minutes=5))
    assert refused is not None
    assert refused.detail == "window nightly closes in 20 min; this takes 2 h 5 min"


def test_the_zone_in_which_now_is_written_does_not_matter() -> None:
    """The same instant in another zone leaves the same time."""
    tokyo = dt.timezone(dt.timedelta(hours=9))
    assert ask(now=(CLOSES - MINUTE).astimezone(tokyo), predicted=MINUTE) is None
    assert ask(now=CLOSES.astimezone(tokyo), predicted=MINUTE) is not None


def test_an_outage_needs_a_partner_that_serves() -> None:
    """No proof, a proof of another node, and a partner that does not serve: all of them mean no."""
    for proofs in [(), (yes("pacs-z"),), (no("pacs-b"),), (yes("pacs-a"), no("pacs-b"))]:
        refused = ask(RESTART, partners=("pacs-b",), proofs=proofs)
        assert refused is not None
        assert refused.reason is Reason.PARTNER_NOT_SERVING
    assert ask(RESTART, partners=("pacs-b",), proofs=(yes("pacs-b"),)) is None


def test_what_the_partners_answered_is_said() -> None:
    """The detail names every partner, and those that were not asked."""
    refused = ask(RESTART, partners=("pacs-c", "pacs-b"), proofs=(no("pacs-b"),))
    assert refused is not None
    assert refused.detail == (
        "no other member of the group serves images now (pacs-b: no answer within 10 s; pacs-c: was not asked)"
    )


def test_one_partner_that_serves_is_enough() -> None:
    """In a group of three, the third may be ill."""
    assert ask(RESTART, partners=("pacs-b", "pacs-c"), proofs=(no("pacs-b"), yes("pacs-c"))) is None


@pytest.mark.fault(27)
def test_a_partner_that_serves_now_and_then_does_not_serve() -> None:
    """A flapping partner is no partner, in whatever order it answered."""
    for proofs in [(yes("pacs-b"), no("pacs-b")), (no("pacs-b"), yes("pacs-b"))]:
        assert ask(RESTART, partners=("pacs-b",), proofs=proofs) is not None


def test_one_outage_among_the_steps_of_a_subject_counts_for_all() -> None:
    """Steps of a subject are admitted together, whichever of them stops the service."""
    assert ask(PROVE, RESTART, partners=("pacs-b",)) is not None
    assert ask(PROVE, VACUUM, partners=("pacs-b",)) is None


def test_a_node_outside_any_group_needs_no_partner() -> None:
    """That its outage is the clinic's outage was the site's choice."""
    assert ask(RESTART, partners=(), proofs=()) is None


@pytest.mark.fault(45)
@pytest.mark.parametrize(
    ("watch", "detail"),
    [
        (clock(shown=dt.timedelta(days=1)), "this controller's clock went forward by 23 h 59 min during the run"),
        (clock(shown=dt.timedelta(hours=-1)), "this controller's clock went back by 1 h 1 min during the run"),
        (clock(node_ahead=10 * MINUTE), "the node's clock is 10 min ahead of this controller's"),
        (clock(node_ahead=-10 * MINUTE), "the node's clock is 10 min behind this controller's"),
    ],
)
def test_no_step_starts_once_a_clock_cannot_be_believed(watch: ClockWatch, detail: str) -> None:
    """A clock that was set makes windows meaningless, even when the window seems open."""
    refused = ask(watch=watch)
    assert refused is not None
    assert refused.reason is Reason.CLOCK_STEPPED
    assert refused.detail.startswith(detail)


def test_a_minute_of_drift_is_tolerated() -> None:
    """Leap seconds and coarse answers of a node are no reason to lose the night."""
    assert ask(watch=clock(shown=2 * MINUTE, node_ahead=-MINUTE)) is None
    assert ask(watch=clock(shown=2 * MINUTE + dt.timedelta(seconds=1))) is not None
    assert ask(watch=clock(shown=-dt.timedelta(seconds=1))) is not None


moments = st.timedeltas(dt.timedelta(hours=-2), dt.timedelta(hours=10)).map(lambda since: OPENS + since)


@given(
    now=moments,
    predicted=st.timedeltas(dt.timedelta(0), dt.timedelta(hours=8)),
    shown=st.timedeltas(dt.timedelta(minutes=-9), dt.timedelta(minutes=9)),
    partners=st.sets(st.sampled_from("bcd")),
    proofs=st.lists(st.builds(PartnerProof, node=st.sampled_from("bcde"), serves=st.booleans(), why=st.just("?"))),
)
def test_whatever_is_admitted_was_safe(
    now: dt.datetime,
    predicted: dt.timedelta,
    shown: dt.timedelta,
    partners: set[str],
    proofs: list[PartnerProof],
) -> None:
    """Any admitted outage begins and ends inside the window, by clocks that agree, while a partner serves."""
    watch = clock(shown=shown)
    if ask(RESTART, now=now, predicted=predicted, watch=watch, partners=partners, proofs=proofs) is None:
        assert OPENS <= now < CLOSES
        assert now + predicted <= CLOSES
        assert abs(shown - MINUTE) <= MINUTE
        said = {node: {proof.serves for proof in proofs if proof.node == node} for node in partners}
        assert not partners or {True} in said.values()
