"""Before anything new: how did what an earlier run left open end? Decided by looking, never by guessing."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from maintainer.intervention_log.record import Record
from maintainer.model.plan import Nothing, Refuse, Steps
from maintainer.model.task import Assignment
from maintainer.running.observe import Eyes
from maintainer.running.ports import Observer
from maintainer.running.recorder import Recorder, as_asked
from maintainer.running.report import Settled


class Judged(NamedTuple):
    """An open intent, and what looking at its subject again showed."""

    intent: Record
    ending: Literal["done", "failed", "unknown"]
    text: str


def judge(
    intents: Sequence[Record], assignments: Sequence[Assignment], eyes: Eyes, observer: Observer
) -> tuple[Judged, ...]:
    """Look again at what one node's open intents were about. Changes nothing and records nothing."""
    by_task = {one.task: one for one in assignments if intents and one.node == intents[0].node}
    return tuple(_judge(intent, by_task.get(intent.task), eyes, observer) for intent in intents)


def unsettled(judged: Sequence[Judged]) -> Refuse | None:
    """Keep off a node on which something is not known that looking cannot tell."""
    open_still = [one for one in judged if one.ending == "unknown"]
    if not open_still:
        return None
    intent, _, text = open_still[0]
    return Refuse(
        because=f"how an earlier run left {intent.subject} ({intent.task}) is not known: {text}",
        hint=how_to_settle(intent),
    )


def record_all(judged: Sequence[Judged], recorder: Recorder) -> tuple[Settled, ...]:
    """Write down what was seen; what is still unknown stays open, for the next run or for a person."""
    for one in judged:
        recorder.reconciled(one.intent, one.ending, one.text)
    return tuple(
        Settled(node=one.intent.node, task=one.intent.task, subject=one.intent.subject, ending=one.ending)
        for one in judged
    )


def how_to_settle(intent: Record) -> str:
    return (
        f"the next run looks again; or look at {intent.node} yourself and say how it ended:"
        f" `maintainer settle {intent.step} --as done|failed --why …`"
    )


def _judge(intent: Record, assignment: Assignment | None, eyes: Eyes, observer: Observer) -> Judged:
    if assignment is None:
        return Judged(intent, "unknown", "its task is no longer in the inventory")
    answer = eyes.look(as_asked(assignment, intent), observer)
    if not isinstance(answer, Steps | Nothing):
        return Judged(intent, "unknown", f"looking again did not tell: {answer.because}")
    due = answer.steps if isinstance(answer, Steps) else ()
    still = next((step.reason for step in due if step.subject == intent.subject), "")
    if still:
        return Judged(intent, "failed", f"looked again: still due, {still}")
    return Judged(intent, "done", "looked again: no longer due")
