"""Before anything new: how did what an earlier run left open end? Decided by looking, never by guessing."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from maintainer.errors import CouldNotLook
from maintainer.intervention_log.record import Record
from maintainer.model.plan import Nothing, Refuse, Steps
from maintainer.model.task import Assignment
from maintainer.running.node_state import Operation, Trouble, operation
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
    found = _operation(intent, observer)
    match found:
        case Operation(state="running"):
            return Judged(intent, "unknown", "it still runs on the node, until its deadline at the latest")
        case Operation(state="finished", ok=True):
            return Judged(intent, "done", f"the node's own verdict of {found.ended_at}: done")
        case Operation(state="finished", error=Trouble(what=what)):
            return Judged(intent, "failed", f"the node's own verdict of {found.ended_at}: {what}")
    return _look_again(intent, assignment, eyes, observer, WITHOUT_VERDICT.get(found.state, "") if found else "")


def _operation(intent: Record, observer: Observer) -> Operation | None:
    """What the node has kept of the step; nothing of what was not launched there, or where it cannot be asked."""
    try:
        return operation(observer, intent.step)
    except CouldNotLook:
        return None


def _look_again(intent: Record, assignment: Assignment | None, eyes: Eyes, observer: Observer, before: str) -> Judged:
    if assignment is None:
        return Judged(intent, "unknown", f"{before}its task is no longer in the inventory")
    answer = eyes.look(as_asked(assignment, intent), observer)
    if not isinstance(answer, Steps | Nothing):
        return Judged(intent, "unknown", f"{before}looking again did not tell: {answer.because}")
    due = answer.steps if isinstance(answer, Steps) else ()
    still = next((step.reason for step in due if step.subject == intent.subject), "")
    if still:
        return Judged(intent, "failed", f"{before}looked again: still due, {still}")
    return Judged(intent, "done", f"{before}looked again: no longer due")


WITHOUT_VERDICT = {
    "interrupted": "interrupted by a reboot of the node; ",
    "vanished": "it ended there without a verdict; ",
}
