"""Doing in the same night what has become due by what was done: a look confirms, finds damage, or sees more to do."""

from maintainer.model.outcome import Done, Reason
from maintainer.model.plan import Steps
from maintainer.model.task import Assignment
from maintainer.running.caution import Caution
from maintainer.running.crew import Crew
from maintainer.running.endings import Grave
from maintainer.running.events import TaskDecided
from maintainer.running.execute import Executor
from maintainer.running.ports import Observer

ROUNDS = 5


def follow_up(
    assignment: Assignment, observer: Observer, executor: Executor, crew: Crew, caution: Caution
) -> Grave | None:
    """Look again after the steps of a task that wants it; never the same subject twice, nothing that nobody approved.

    Raises:
        LogError: a record could not be written.
    """
    if not crew.eyes.tasks[assignment.task].looks_again:
        return None
    for _ in range(ROUNDS):
        begun = {report.step.subject for report in executor.reports}
        if not any(isinstance(report.ending, Done) for report in executor.reports):
            return None
        answer = crew.foretold(assignment, caution.restrain(crew.eyes.look(assignment, observer)))
        executor.keep(answer)
        due = tuple(step for step in answer.steps if step.subject not in begun) if isinstance(answer, Steps) else ()
        if not due:
            return None
        if crew.approved is not None:
            executor.skip(due, Reason.NOT_APPROVED, "it became due during the run")
            return None
        crew.report(TaskDecided(assignment.node, assignment.task, answer.model_copy(update={"steps": due})))
        if grave := executor.perform(due):
            return grave
    return None
