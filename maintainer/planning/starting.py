"""What is left to do when a restart did not end well: start what is stopped, and stop nothing more."""

from maintainer.model.action import ProveService, RestartServices
from maintainer.model.plan import Risk, Step


def only_starts(due: tuple[Step, ...]) -> tuple[Step, ...]:
    """Start what is stopped and prove it, and stop nothing; nothing where nothing is stopped."""
    found = [step for step in due if isinstance(step.action, RestartServices | ProveService)]
    actions = [step.action for step in found if isinstance(step.action, RestartServices)]
    if not any(set(action.services) - set(action.stop_first) for action in actions):
        return ()
    return tuple(_without_stop(step) for step in found)


def _without_stop(step: Step) -> Step:
    if not isinstance(step.action, RestartServices):
        return step
    stopped = tuple(name for name in step.action.services if name not in step.action.stop_first)
    action = RestartServices(services=stopped)
    return step.model_copy(update={"action": action, "title": action.title, "risk": Risk.SLOWER})
