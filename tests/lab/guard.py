"""What every test of a fault on real nodes checks besides its own matter, whatever happens to the nodes meanwhile."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from maintainer.intervention_log.record import Kind
from tests.e2e.canaries import contents, sightings
from tests.e2e.driver import Answer, finished
from tests.lab.controller import LONGEST, LabController
from tests.lab.lab import Lab
from tests.lab.node import LabNode

STATE = "/root/.local/state/maintainer"
"""Where an unprepared node remembers who holds it and what was launched."""
PATIENT = "CompressedSamples"  # name of the patient of the images that the lab's series are made from
_GONE_WITHIN = 60  # seconds
_OURS = "pgrep -u maintainer; pgrep -x python3; systemctl list-units --plain --no-legend 'maintainer-*'; true"


@dataclass
class Night:
    """One night of the group: `a` is worked on, `b` is its partner. The controller is new, with a log of its own."""

    lab: Lab
    controller: LabController
    _said: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def a(self) -> LabNode:
        return self.lab.nodes["pacs-a"]

    @property
    def b(self) -> LabNode:
        return self.lab.nodes["pacs-b"]

    def do(self, *words: str) -> Answer:
        return self.heard(self.controller.do(*words))

    def heard(self, answer: Answer) -> Answer:
        """Note what a command said, so that it is searched for secrets."""
        self._said += [("stdout", answer.stdout.encode()), ("stderr", answer.stderr.encode())]
        return answer

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator[list[Answer]]:
        """Run a command while the block does what happens meanwhile; the list has its answer afterwards."""
        process, answers = self.controller.start(*words), list[Answer]()
        try:
            yield answers
        except BaseException:
            process.kill()
            process.communicate()
            raise
        answers.append(self.heard(finished(process, LONGEST)))

    def another_controller(self, name: str) -> LabController:
        """Give the same site to a machine that knows nothing of this one."""
        return _new(self.lab, self.controller.inventory.parent / name)

    def said(self) -> list[tuple[str, bytes]]:
        return [*self._said, *contents(self.controller.state)]


@contextlib.contextmanager
def guarded(lab: Lab, folder: Path) -> Iterator[Night]:
    """Live a night, then see that it was one: stores, service, log and nodes are as they must always be."""
    night = Night(lab, _new(lab, folder / "controller"))
    before = {node.name: node.store_manifest() for node in lab.nodes.values()}
    try:
        yield night
    finally:
        night.controller.end_all()
    lab.on_all(LabNode.wait_until_it_serves)
    assert {node.name: node.store_manifest() for node in lab.nodes.values()} == before
    assert unexplained(night.controller) == []
    assert night.controller.json("log", "verify")["verified"] is True
    password = lab.controller.database_password.read_text().strip()
    assert sightings(night.said(), [PATIENT, password]) == []
    lab.on_all(nothing_of_ours_runs_on)


def unexplained(controller: LabController) -> list[str]:
    """List the steps of the log that have not one ending, and that `status` does not say to be open either."""
    records = controller.records() if controller.journal.exists() else []
    intents = [record["step"] for record in records if record["kind"] == Kind.INTENT]
    known = Counter(r["step"] for r in records if _ends(r))
    waiting = controller.json("status")["open_intents"]
    still_open = [step for step in intents if known[step] == 0]
    doubled = [step for step in intents if intents.count(step) > 1 or known[step] > 1]
    return doubled if len(still_open) == len(waiting) else [*doubled, *still_open, *waiting]


def _ends(record: Mapping[str, object]) -> bool:
    return record["kind"] in {Kind.OUTCOME, Kind.RECONCILED} and record["ending"] != "unknown" and "step" in record


def nothing_of_ours_runs_on(node: LabNode) -> None:
    """No process of the agent's user, no program and no unit of ours."""
    until(lambda: node.run("sh", "-c", _OURS).stdout == "", _GONE_WITHIN)


def until(happens: Callable[[], object], within: float = 120) -> None:
    """Wait for something to be so; fail when it is not in time."""
    end = time.monotonic() + within
    while not happens():
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(0.05)


def _new(lab: Lab, folder: Path) -> LabController:
    folder.mkdir()
    # The list of what was started is that of the lab's controller, so that one call ends the commands of all.
    made = replace(lab.controller, inventory=folder / "inventory.toml", state=folder / "state")
    text = lab.controller.inventory.read_text("utf-8")
    old = f'state = "{lab.controller.state}"'
    assert text.count(old) == 1
    made.inventory.write_text(text.replace(old, f'state = "{made.state}"'), "utf-8")
    return made
