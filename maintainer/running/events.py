"""What happens during a run, as it happens: for the live view, plain lines and the program's own log."""

from typing import NamedTuple, Protocol

from maintainer.model.outcome import Ending
from maintainer.model.plan import Answer, Step
from maintainer.model.progress import Progress


class TaskStarted(NamedTuple):
    node: str
    task: str


class TaskDecided(NamedTuple):
    node: str
    task: str
    answer: Answer


class StepStarted(NamedTuple):
    node: str
    task: str
    step: Step


class StepProgress(NamedTuple):
    """Said about once a second, of what tells how far it is."""

    node: str
    task: str
    step: Step
    progress: Progress


class StepEnded(NamedTuple):
    node: str
    task: str
    step: Step
    ending: Ending


Event = TaskStarted | TaskDecided | StepStarted | StepProgress | StepEnded


class Reporter(Protocol):
    def __call__(self, event: Event) -> None:
        """Show an event. Called from several threads; must not raise."""
        ...
