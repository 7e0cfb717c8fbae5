"""What is told beforehand of a step's time, from how long such steps took before."""

from collections.abc import Callable, Iterator

from maintainer.intervention_log.filter import Filter
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, number
from maintainer.model.plan import Answer, Steps
from maintainer.model.task import Assignment
from maintainer.planning.forecast import Past, forecast

Foretell = Callable[[Assignment, Answer], Answer]
NEWEST = 2_000
"""Endings of one task on one node that are read."""


def foretold(log: InterventionLog, assignment: Assignment, answer: Answer) -> Answer:
    """Add to each step that works on a database how long it is thought to take."""
    if not isinstance(answer, Steps) or all(step.works_on is None for step in answer.steps):
        return answer
    past = list(_past(log, assignment))
    steps = (
        step if step.works_on is None else step.model_copy(update={"forecast": forecast(step, past)})
        for step in answer.steps
    )
    return answer.model_copy(update={"steps": tuple(steps)})


def _past(log: InterventionLog, assignment: Assignment) -> Iterator[Past]:
    where = Filter(node=assignment.node, task=assignment.task, kind=Kind.OUTCOME, ending="done", limit=NEWEST)
    for record in log.records(where):
        seconds = number(record.measured.get("seconds"))
        if seconds is not None:
            yield Past(record.subject, seconds, number(record.measured.get("works_on")))
