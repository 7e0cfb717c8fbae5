"""One run: record what was missed, work through the lanes side by side, and leave a signed log behind."""

import threading
from collections.abc import Sequence
from datetime import datetime

from maintainer.errors import LogError
from maintainer.intervention_log.open_ends import OpenEnds
from maintainer.model.plan import Refuse
from maintainer.model.task import Assignment
from maintainer.model.values import counted
from maintainer.model.window import Occurrence
from maintainer.planning.order import lanes
from maintainer.running.caution import caution
from maintainer.running.crew import Crew
from maintainer.running.dry_run import in_parallel
from maintainer.running.node_work import NodeWork
from maintainer.running.report import RunReport


def work_a_shift(crew: Crew, assignments: Sequence[Assignment], missed: Sequence[Occurrence]) -> RunReport:
    """Run the assignments, all of whose windows are open, and answer what became of them.

    Raises:
        LogError: the intervention log failed; what had begun was finished first, nothing new was begun.
    """
    opened_at = crew.eyes.clock()
    crew.recorder.opened(
        f"{counted(len(assignments), 'task')} on {counted(len({a.node for a in assignments}), 'node')}"
    )
    for occurrence in missed:
        crew.recorder.missed(occurrence)
    shift = _Shift(crew, assignments, crew.recorder.log.open_ends())
    by_lane = lanes([assignment.node for assignment in assignments], crew.eyes.inventory.groups)
    worked = in_parallel(shift.work_lane, by_lane, crew.eyes.inventory.controller.parallel)
    if shift.log_error is not None:
        raise shift.log_error
    report = _report(crew, opened_at, missed, [node for lane in worked for node in lane])
    crew.recorder.closed(f"exit {report.exit().value}: {len(report.endings)} steps")
    return report


class _Shift:
    def __init__(self, crew: Crew, assignments: Sequence[Assignment], ends: OpenEnds) -> None:
        self._crew, self._assignments, self._ends = crew, assignments, ends
        self._lock = threading.Lock()
        self.log_error: LogError | None = None

    def work_lane(self, lane: Sequence[str]) -> list[NodeWork]:
        """Work on the nodes of a lane one after the other; after one that may be down, its partners are left alone."""
        worked: list[NodeWork] = []
        for name in lane:
            node = self._node(name)
            worked.append(node)
            try:
                self._work(node, worked)
            except LogError as error:
                with self._lock:
                    self.log_error = self.log_error or error
                self._crew.gate.log_failed.set()
                break
        return worked

    def _work(self, node: NodeWork, worked: list[NodeWork]) -> None:
        down = next((earlier for earlier in worked if earlier.left_alone), None)
        if down is not None:
            name = down.group[0].node
            node.leave_alone(
                Refuse(
                    because=f"{name}, a member of the same group, is not known to serve",
                    hint=f"bring {name} back first, and see that images come from it",
                )
            )
        else:
            node.run()

    def _node(self, name: str) -> NodeWork:
        group = tuple(assignment for assignment in self._assignments if assignment.node == name)
        eyes = self._crew.eyes
        return NodeWork(crew=self._crew, group=group, caution=caution(name, self._ends, eyes.inventory, eyes.clock()))


def _report(crew: Crew, opened_at: datetime, missed: Sequence[Occurrence], nodes: list[NodeWork]) -> RunReport:
    return RunReport(
        run=crew.recorder.run,
        opened_at=opened_at,
        closed_at=crew.eyes.clock(),
        settled=tuple(one for node in nodes for one in node.settled),
        missed=tuple(f"{occurrence.window} of {occurrence.day}" for occurrence in missed),
        tasks=tuple(task for node in nodes for task in node.tasks),
        interrupted=crew.gate.stop.asked,
    )
