"""A dry run: look at every node, decide, and write down what would be done. It holds no hands to do it with."""

import contextvars
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import groupby
from typing import TypeVar

import structlog

from maintainer.errors import CouldNotLook, LogError
from maintainer.intervention_log.open_ends import OpenEnds
from maintainer.model.plan import Answer, Entry, Plan, Refuse, Unseen
from maintainer.model.task import Assignment, NodeQuery
from maintainer.running.caution import Caution, caution, refusals, under_way
from maintainer.running.events import Reporter, TaskDecided, TaskStarted
from maintainer.running.foretold import Foretell
from maintainer.running.observe import Eyes, broken_off
from maintainer.running.ports import Look, Observer
from maintainer.running.reconcile import judge, unsettled

LOG = structlog.get_logger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


def dry_run(
    assignments: Sequence[Assignment],
    eyes: Eyes,
    look: Look,
    report: Reporter,
    digest: str,
    *,
    ends: OpenEnds,
    known: Sequence[Assignment],
    foretell: Foretell,
    holder: str = "",
) -> Plan:
    """Plan all assignments, nodes side by side. One node's trouble is its own `Unseen`, never the others'.

    `ends`: what the log holds open; `known`: every assignment of the inventory, as in a run; `foretell` adds how long
    steps are thought to take; `holder`: who runs now.
    """
    by_node = [tuple(group) for _, group in groupby(assignments, key=lambda assignment: assignment.node)]
    made_at = eyes.clock()

    def plan_one(group: Sequence[Assignment]) -> tuple[Entry, ...]:
        held = under_way(caution(group[0].node, ends, eyes.inventory, made_at), holder)
        return plan_node(group, eyes, look, report, held=held, known=known, foretell=foretell)

    entries = in_parallel(plan_one, by_node, eyes.inventory.controller.parallel)
    return Plan(
        site=eyes.inventory.site.name,
        inventory=digest,
        made_at=made_at,
        expires_at=_to_the_second(made_at + eyes.inventory.controller.plan_expires_after),
        entries=tuple(entry for group in entries for entry in group),
    )


def plan_node(
    group: Sequence[Assignment],
    eyes: Eyes,
    look: Look,
    report: Reporter,
    *,
    held: Caution,
    known: Sequence[Assignment],
    foretell: Foretell,
) -> tuple[Entry, ...]:
    def entry(assignment: Assignment, answer: Answer) -> Entry:
        report(TaskDecided(assignment.node, assignment.task, answer))
        told = foretell(assignment, answer)
        window, asked_at = assignment.params.window, assignment.asked_at
        return Entry(node=assignment.node, task=assignment.task, window=window, answer=told, asked_at=asked_at)

    def refused(because: Refuse) -> tuple[Entry, ...]:
        return tuple(map(entry, group, refusals(because, len(group))))

    if held.alone is not None:
        return refused(held.alone)
    entries: list[Entry] = []
    try:
        with look(group[0].node) as observer:
            if held.intents and (unseen := _silence(observer, group[0].node)):
                return tuple(entry(assignment, unseen) for assignment in group)
            if because := unsettled(judge(held.intents, known, eyes, observer)):
                return refused(because)
            answers = eyes.look_at_all(group, observer)
            for assignment in group:
                report(TaskStarted(assignment.node, assignment.task))
                entries.append(entry(assignment, held.restrain(next(answers))))
    except LogError:
        raise  # the state folder is the controller's trouble, and of every node alike
    except Exception as error:
        # A mistake of ours, on one node: said, and kept away from the others.
        LOG.exception("internal error", node=group[0].node)
        entries += [entry(assignment, broken_off(error)) for assignment in group[len(entries) :]]
    return tuple(entries)


def _silence(observer: Observer, node: str) -> Unseen | None:
    """Tell a node that does not answer from one on which looking does not tell how a step ended."""
    try:
        observer.observe(NodeQuery(program="hello", request={}))
    except CouldNotLook as error:
        return Unseen(because=error.said_of(node), hint=error.hint)
    return None


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item], at_most: int) -> list[Result]:
    """Map in threads, in order; each thread has the caller's logging context."""
    with ThreadPoolExecutor(at_most, thread_name_prefix="node") as pool:
        futures = [pool.submit(contextvars.copy_context().run, work, item) for item in items]
        return [future.result() for future in futures]


def _to_the_second(time: datetime) -> datetime:
    return time.replace(microsecond=0) + timedelta(seconds=1)
