"""Looking at nodes: what a dry run does, and what a run does before and after every step."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import structlog
from pydantic import JsonValue

from maintainer.errors import CouldNotLook, MaintainerError
from maintainer.model.inventory import Inventory
from maintainer.model.plan import Answer, Finding, Unseen
from maintainer.model.task import AnyTask, Assignment
from maintainer.planning.planner import decide
from maintainer.running.ports import Namer, Observer

LOG = structlog.get_logger(__name__)

Clock = Callable[[], datetime]


class Eyes(NamedTuple):
    """What it takes to turn an assignment into an answer."""

    inventory: Inventory
    tasks: Mapping[str, AnyTask]
    names: Namer
    clock: Clock

    def look(self, assignment: Assignment, observer: Observer) -> Answer:
        """Observe what the task declares and let it decide. What cannot be seen is `Unseen`, never "nothing"."""
        try:
            answer = self._answer(assignment, observer)
        except CouldNotLook as error:
            return Unseen(because=error.said_of(assignment.node), hint=error.hint)
        except MaintainerError:
            raise
        except Exception as error:
            # A mistake in one task must not cost the node's other tasks their night.
            LOG.exception("internal error", node=assignment.node, task=assignment.task)
            return broken_off(error)
        return answer.model_copy(update={"findings": tuple(map(self._without_patient, answer.findings))})

    def _answer(self, assignment: Assignment, observer: Observer) -> Answer:
        task, node = self.tasks[assignment.task], self.inventory.nodes[assignment.node]
        answers: dict[str, JsonValue] = {}
        for fact, observation in task.observe(node, assignment.params).items():
            answers[fact] = observer.observe(observation)
        return decide(task, node, assignment.params, answers, self.clock(), asked_at=assignment.asked_at)

    def _without_patient(self, finding: Finding) -> Finding:
        """Replace what names a patient's object by a keyed hash, before anything is shown or logged."""
        if not finding.private:
            return finding
        return finding.model_copy(update={"subject": self.names.of("object", finding.subject), "private": False})


def broken_off(error: Exception) -> Unseen:
    """Report a mistake of ours as what it is: something that could not be found out."""
    return Unseen(because=f"internal error ({type(error).__name__})", hint="please report it with the program's log")
