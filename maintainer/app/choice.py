"""Limiting what the inventory assigns to what the command line or a plan file asks for."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from maintainer.errors import UsageError, WindowClosed
from maintainer.inventory_file.load import LoadedInventory
from maintainer.model.inventory import Inventory
from maintainer.model.plan import Plan
from maintainer.model.task import AnyTask, Assignment
from maintainer.planning.calendar import next_opening


def choose(
    loaded: LoadedInventory,
    *,
    window: str | None,
    nodes: Sequence[str],
    tasks: Sequence[str],
    asked_at: datetime | None,
) -> tuple[Assignment, ...]:
    """Limit the inventory's assignments to what is named; `asked_at`: they are due since then.

    Raises:
        UsageError: it names something that the inventory does not have, or nothing is left.
    """
    inventory = loaded.inventory
    check_known(loaded, "window", [window] if window else [], inventory.windows)
    check_known(loaded, "node", nodes, inventory.nodes)
    check_known(loaded, "task", tasks, inventory.tasks)
    chosen = tuple(
        one.model_copy(update={"asked_at": asked_at})
        for one in loaded.assignments
        if window in (None, one.params.window)
        and one.node in (nodes or (one.node,))
        and one.task in (tasks or (one.task,))
    )
    if not chosen:
        raise UsageError(
            "no task runs there",
            where=loaded.path,
            hint="`maintainer plan` without options shows what runs where",
        )
    return chosen


def check_may_be_asked(installed: Mapping[str, AnyTask], tasks: Sequence[str]) -> None:
    """See that each of the tasks can be asked for.

    Raises:
        UsageError: one cannot, or none is named.
    """
    on_request = [name for name, task in installed.items() if task.on_request]
    if not tasks or set(tasks) - set(on_request):
        raise UsageError(
            "--now asks for single tasks, and each must be one that can be asked for",
            hint=f"name it with --task: {', '.join(on_request)}",
        )


def check_known(loaded: LoadedInventory, word: str, names: Sequence[str], known: Collection[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"there is no {word} {unknown[0]}", where=loaded.path, hint=f"it has {', '.join(known)}")


def window_closed(inventory: Inventory, window: str, now: datetime) -> WindowClosed:
    """Say of a window that was asked for when it opens."""
    opens = next_opening({window: inventory.windows[window]}, inventory.site, now)
    when = f"it opens at {opens.opens:%Y-%m-%d %H:%M} UTC" if opens else "it does not open within a year"
    return WindowClosed(
        f"the window {window} is closed now: {when}",
        hint="nothing starts outside its window; see `maintainer calendar`",
    )


def planned(approved: Plan | None, assignment: Assignment) -> Assignment | None:
    """Leave out what the plan does not hold; what was asked for when it was made is asked for still."""
    if approved is None:
        return assignment
    same = [e for e in approved.entries if (e.node, e.task) == (assignment.node, assignment.task)]
    return assignment.model_copy(update={"asked_at": same[0].asked_at}) if same else None
