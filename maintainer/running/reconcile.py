"""Before anything new: how did what an earlier run left open end? Decided by looking, never by guessing."""

from collections.abc import Sequence

from maintainer.intervention_log.record import Record
from maintainer.model.plan import Steps, Unseen
from maintainer.model.task import Assignment
from maintainer.running.observe import Eyes
from maintainer.running.ports import Observer
from maintainer.running.recorder import Recorder
from maintainer.running.report import Settled


def reconcile(
    intents: Sequence[Record], assignments: Sequence[Assignment], eyes: Eyes, observer: Observer, recorder: Recorder
) -> tuple[Settled, ...]:
    """Settle one node's open intents. One that cannot be looked at stays open and is reported as unknown."""
    by_task = {assignment.task: assignment for assignment in assignments}
    return tuple(_settle(intent, by_task.get(intent.task), eyes, observer, recorder) for intent in intents)


def _settle(
    intent: Record, assignment: Assignment | None, eyes: Eyes, observer: Observer, recorder: Recorder
) -> Settled:
    answer = eyes.look(assignment, observer) if assignment else None
    if answer is None:
        ending, text = "unknown", "its task is no longer in the inventory: look at the node yourself"
        recorder.reconciled(intent, ending, text)
    elif isinstance(answer, Unseen):
        ending = "unknown"
    else:
        due = answer.steps if isinstance(answer, Steps) else ()
        still = next((step.reason for step in due if step.subject == intent.subject), "")
        ending, text = (
            ("failed", f"looked again: still due, {still}") if still else ("done", "looked again: no longer due")
        )
        recorder.reconciled(intent, ending, text)
    return Settled.model_validate(
        {"node": intent.node, "task": intent.task, "subject": intent.subject, "ending": ending}
    )
