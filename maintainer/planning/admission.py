"""Whether a step may start now. Fail closed: a guard that cannot find out answers no."""

import datetime as dt
from collections.abc import Collection

from maintainer.model.outcome import NotRun, Reason
from maintainer.model.plan import Risk, Step
from maintainer.model.values import Value
from maintainer.model.window import Occurrence
from maintainer.planning.calendar import length
from maintainer.planning.wall_clock import utc

CLOCK_TOLERANCE = dt.timedelta(seconds=60)
"""Slewing moves the wall clock and the monotonic clock alike, so what parts them is a step, a leap second, or sleep.

Source: clock_gettime(2), CLOCK_MONOTONIC.
"""


class ClockWatch(Value):
    """The wall clock beside the monotonic clock, since the run started; the monotonic one cannot be set.

    `node_ahead` is how far the node's clock is ahead of ours, where it was asked.
    """

    started_wall: dt.datetime
    started_mono: float
    now_wall: dt.datetime
    now_mono: float
    node_ahead: dt.timedelta | None = None

    @property
    def stepped(self) -> dt.timedelta:
        """By how much the wall clock has gone further than time has; negative when it was set back."""
        elapsed = dt.timedelta(seconds=self.now_mono - self.started_mono)
        return utc(self.now_wall) - utc(self.started_wall) - elapsed


class PartnerProof(Value):
    """What a member of the group answered when it was asked whether it serves images now."""

    node: str
    serves: bool
    why: str


def admit(
    *steps: Step,
    now: dt.datetime,
    occurrence: Occurrence | None,
    predicted: dt.timedelta,
    clock: ClockWatch,
    partners: Collection[str],
    proofs: Collection[PartnerProof],
) -> NotRun | None:
    """Say why these steps must not start now, or nothing when they may.

    The steps of one subject are admitted together, before the first of them, and `predicted` is for all of them: once a
    service has been stopped, it is started again whatever the clock says.

    Args:
        steps: One step, or all the steps of a subject.
        now: The controller's wall clock.
        occurrence: The occurrence of the task's window that the run works in; none when the window is not open.
        predicted: How long all the steps take together.
        clock: What the clocks have done since the run started.
        partners: The other members of the node's group; none for a node that stands alone: that its outage is the
            clinic's outage is the site's choice when it writes the inventory.
        proofs: The partners' answers, asked for just now, as often as it takes to see that they do not change.
    """
    outage = any(step.risk is Risk.OUTAGE for step in steps)
    return (
        _clock_guard(clock)
        or _window_guard(utc(now), occurrence, predicted)
        or (partner_guard(partners, proofs) if outage else None)
    )


def _clock_guard(clock: ClockWatch) -> NotRun | None:
    if abs(clock.stepped) > CLOCK_TOLERANCE:
        way = "forward" if clock.stepped > dt.timedelta(0) else "back"
        return _not_run(
            Reason.CLOCK_STEPPED,
            f"this controller's clock went {way} by {_about(clock.stepped)} during the run: it was set, or it slept",
        )
    if clock.node_ahead is not None and abs(clock.node_ahead) > CLOCK_TOLERANCE:
        way = "ahead of" if clock.node_ahead > dt.timedelta(0) else "behind"
        return _not_run(Reason.CLOCK_STEPPED, f"the node's clock is {_about(clock.node_ahead)} {way} this controller's")
    return None


def _window_guard(now: dt.datetime, occurrence: Occurrence | None, predicted: dt.timedelta) -> NotRun | None:
    if occurrence is None:
        return _not_run(Reason.OUTSIDE_WINDOW, "no window of this task is open")
    if not occurrence.is_open(now):
        return _not_run(
            Reason.OUTSIDE_WINDOW,
            f"window {occurrence.window} is open from {occurrence.opens:%Y-%m-%d %H:%M}Z"
            f" to {occurrence.closes:%Y-%m-%d %H:%M}Z",
        )
    left = utc(occurrence.closes) - now
    if predicted > left:
        return _not_run(
            Reason.NO_TIME_LEFT,
            f"window {occurrence.window} closes in {_about(left)}; this takes {_about(predicted)}",
        )
    return None


def partner_guard(partners: Collection[str], proofs: Collection[PartnerProof]) -> NotRun | None:
    """Ask for one partner all of whose answers are yes: one that serves only now and then does not count."""
    if not partners:
        return None
    answered = {proof.node for proof in proofs if proof.node in partners}
    doubts = {proof.node: proof.why for proof in proofs if proof.node in answered and not proof.serves}
    if answered - doubts.keys():
        return None
    said = [f"{node}: {doubts.get(node, 'was not asked')}" for node in sorted(partners)]
    return _not_run(Reason.PARTNER_NOT_SERVING, f"no other member of the group serves images now ({'; '.join(said)})")


def _about(value: dt.timedelta) -> str:
    return length(abs(dt.timedelta(seconds=round(value.total_seconds()))))


def _not_run(reason: Reason, detail: str) -> NotRun:
    return NotRun(reason=reason, detail=detail)
