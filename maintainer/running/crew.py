"""What every node's work in one run shares."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from maintainer.model.plan import Answer, Plan
from maintainer.model.task import Assignment
from maintainer.running.events import Reporter
from maintainer.running.foretold import foretold
from maintainer.running.gate import Gate
from maintainer.running.observe import Eyes
from maintainer.running.ports import Work
from maintainer.running.recorder import Recorder


@dataclass(frozen=True, kw_only=True)
class Crew:
    """The eyes, the gate, the hands and the pen of one run. `approved`: the plan file that limits it."""

    eyes: Eyes
    gate: Gate
    work: Work
    recorder: Recorder
    report: Reporter
    known: Sequence[Assignment]
    """Every assignment of the inventory, also those that this run leaves out: what was left open may be of any."""
    pause: Callable[[float], None] = time.sleep
    approved: Plan | None = None

    def foretold(self, assignment: Assignment, answer: Answer) -> Answer:
        """Add how long each step is thought to take."""
        return foretold(self.recorder.log, assignment, answer)

    def waited(self, assignment: Assignment, seconds: float) -> bool:
        """Let time pass, unless the task's window closes before it has, or somebody stops the run."""
        if not self.gate.is_open_in(assignment, timedelta(seconds=seconds)):
            return False
        for _ in range(round(seconds)):
            if self.gate.stop.asked:
                return False
            self.pause(1.0)
        return True
