"""What was approved is what runs: a plan file against what is due now."""

from itertools import groupby
from typing import NamedTuple

from maintainer.model.action import effect
from maintainer.model.plan import Step


class Replanned(NamedTuple):
    """Steps by what becomes of them; each is in one of the three."""

    run: tuple[Step, ...]
    not_approved: tuple[Step, ...]
    no_longer_due: tuple[Step, ...]


def replan(approved: tuple[Step, ...], due: tuple[Step, ...]) -> Replanned:
    """Keep the subjects whose steps are due now exactly as they were approved.

    A subject runs whole or not at all: a restart without its start is not what anybody approved.
    """
    before, now = _by_subject(approved), _by_subject(due)
    same = {subject for subject in now if _effects(before.get(subject, ())) == _effects(now[subject])}
    return Replanned(
        run=tuple(step for step in due if step.subject in same),
        not_approved=tuple(step for step in due if step.subject not in same),
        no_longer_due=tuple(step for step in approved if step.subject not in now),
    )


def _by_subject(steps: tuple[Step, ...]) -> dict[str, tuple[Step, ...]]:
    return {subject: tuple(group) for subject, group in groupby(steps, key=lambda step: step.subject)}


def _effects(steps: tuple[Step, ...]) -> list[tuple[object, ...]]:
    return [(effect(step.action), step.risk) for step in steps]
