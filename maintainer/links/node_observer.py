"""The eyes: every observation of the model, made real. Nothing here can send a change."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, cast

from pydantic import JsonValue

from maintainer.archives.product import ArchiveProduct
from maintainer.archives.register import product_of
from maintainer.errors import CouldNotLook, NodeUnreachable
from maintainer.links.dicom import canary, echo
from maintainer.links.node_link import NodeLink
from maintainer.links.node_program import OutOfTime, Question
from maintainer.links.room import room
from maintainer.links.store_copies import copies, instances
from maintainer.links.store_ledger import seen
from maintainer.links.store_scan import Scanner
from maintainer.model.task import (
    NodeQuery,
    Observation,
    OnRecord,
    Probe,
    Recorded,
    Room,
    SqlQuery,
    StoreCopies,
    StoreInstances,
    StoreLedger,
    StoreScan,
    asks_the_node,
)

History = Callable[[str, str], dict[str, OnRecord]]

CALLABLE = "SELECT coalesce(has_function_privilege(to_regprocedure(%(function)s), 'EXECUTE'), false) AS callable"
QUERY_TIME = timedelta(minutes=2)
PROGRAM_TIME = timedelta(minutes=5)
BATCH_TIME = timedelta(minutes=10)
PROBE_TIME = timedelta(seconds=10)
MOUNTS_TIME = timedelta(seconds=30)


class NodeObserver:
    """Looks at one node. `history` answers what the intervention log has on record: (node, measurement) → subjects."""

    def __init__(self, link: NodeLink, history: History) -> None:
        self._link, self._history = link, history

    def observe(self, observation: Observation) -> JsonValue:
        """Answer in the observation's documented shape.

        Raises:
            CouldNotLook: there was no answer.
        """
        (answer,) = self.together([observation])
        if isinstance(answer, CouldNotLook):
            raise answer
        return answer

    def together(self, observations: Sequence[Observation]) -> list[JsonValue | CouldNotLook]:
        """Answer several, each by itself or by why there is none; those for the node's program in one request."""
        of_node = iter(self._ask([one for one in observations if asks_the_node(one)]))
        return [next(of_node) if asks_the_node(one) else self._or_why_not(one) for one in observations]

    def _ask(self, observations: list[Observation]) -> list[JsonValue | CouldNotLook]:
        """Ask in one request. When nothing that comes back can be used, ask one by one: what hangs hides no other."""
        if not observations:
            return []
        begun = time.monotonic()
        longest = max(PROGRAM_TIME if isinstance(one, NodeQuery) else MOUNTS_TIME for one in observations)
        try:
            answers = self._link.program().look([_question(one) for one in observations], longest)
        except CouldNotLook as error:
            if len(observations) == 1 or isinstance(error, NodeUnreachable):
                return [error for _ in observations]
            until = _patience(longest)
            return [self._again(one, error, until) for one in observations]
        seconds, until = time.monotonic() - begun, _patience(longest)
        return [
            self._again(one, answer, until)
            if isinstance(answer, OutOfTime) and len(observations) > 1
            else self._shaped(one, answer, seconds)
            for one, answer in zip(observations, answers, strict=True)
        ]

    def _again(self, one: Observation, instead: CouldNotLook, until: float) -> JsonValue | CouldNotLook:
        """Ask it alone. Where a second one hangs as well, it is the node: the rest are not waited for."""
        return self._ask([one])[0] if time.monotonic() < until else instead

    def _shaped(self, one: Observation, answer: JsonValue | CouldNotLook, seconds: float) -> JsonValue | CouldNotLook:
        if isinstance(one, NodeQuery) or not isinstance(answer, dict):
            return answer
        why = next(filter(None, (_mount_trouble(path, answer.get(path)) for path in self._link.node.mounts)), "")
        return {"answered": not why, "why": why, "seconds": round(seconds, 3)}

    def _or_why_not(self, observation: Observation) -> JsonValue | CouldNotLook:
        try:
            return self._alone(observation)
        except CouldNotLook as error:
            return error

    def _alone(self, observation: Observation) -> JsonValue:  # noqa: PLR0911 (one for each kind of observation)
        match observation:
            case SqlQuery():
                return self._query(observation)
            case Room():
                return room(self._link, observation, QUERY_TIME)
            case Probe(by=by):
                return self._probe(by)
            case StoreScan():
                return self._scan(observation)
            case StoreLedger():
                return self._ledger()
            case StoreInstances():
                return instances(self._link, self.archive, observation)
            case StoreCopies():
                return copies(self._link, self.archive, observation)
            case Recorded():
                return cast(JsonValue, self._recorded(observation))
            case NodeQuery():
                raise ValueError("it travels with the others")

    def _query(self, query: SqlQuery) -> JsonValue:
        session = self._link.reading()
        if query.calls and not session.rows(CALLABLE, {"function": query.calls}, QUERY_TIME)[0]["callable"]:
            return []
        return cast(JsonValue, session.table(query.text, query.parameters, QUERY_TIME))

    def _recorded(self, asked: Recorded) -> dict[str, OnRecord]:
        found = self._history(self._link.name, asked.measurement)
        least = asked.above
        return found if least is None else {what: known for what, known in found.items() if known.last > least}

    def _probe(self, by: str) -> JsonValue:
        node = self._link.node
        if by in {"c-echo", "canary"} and node.dicom is not None:
            return echo(node.address, node.dicom) if by == "c-echo" else canary(node.address, node.dicom)
        why, seconds, _ = self._link.probe(PROBE_TIME)
        return {"answered": not why, "why": why, "seconds": round(seconds, 3)}

    def _ledger(self) -> JsonValue:
        return {**seen(self.archive, self.rows, self.ask), "sealed_here": self._link.sealed_root}

    def rows(self, text: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        return self._link.reading().rows(text, parameters, QUERY_TIME)

    def ask(self, program: str, request: dict[str, JsonValue]) -> Any:
        return self._link.program().observe(program, request, BATCH_TIME)

    @property
    def archive(self) -> ArchiveProduct:
        if self._link.node.store is None:
            hint = f"write [nodes.{self._link.name}.store]"
            raise CouldNotLook("it has no store", where=self._link.name, hint=hint)
        return product_of(self._link.node.store)

    def _scan(self, scan: StoreScan) -> JsonValue:
        recorded = self._history(self._link.name, scan.resume).get("store")
        scanner = Scanner(
            product=self.archive,
            scan=scan,
            resume_after=int(recorded.last) if recorded else 0,
            rows=self.rows,
            ask=self.ask,
            stop_asked=self._link.stop_asked,
        )
        return scanner.run()


def _patience(longest: timedelta) -> float:
    """Until when what got no answer is asked again: long enough for one that hangs, not for two."""
    return time.monotonic() + 1.5 * longest.total_seconds()


def _question(observation: Observation) -> Question:
    if isinstance(observation, NodeQuery):
        return Question(observation.program, observation.request)
    return Question("mounts", {})


def _mount_trouble(path: str, state: Any) -> str:
    """Say what is wrong with a mount point, or nothing.

    >>> _mount_trouble("/srv/dicom", {"mounted": True, "empty": True, "problem": ""})
    '/srv/dicom is mounted and empty'
    """
    if state is None:
        return f"{path} is not in the node's policy"
    if not state["mounted"]:
        return f"{path} is not mounted"
    return f"{path}: {state['problem']}" if state["problem"] else f"{path} is mounted and empty" * state["empty"]
