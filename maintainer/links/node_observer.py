"""The eyes: every observation of the model, made real. Nothing here can send a change."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from pydantic import JsonValue

from maintainer.archives.register import product
from maintainer.errors import CouldNotLook
from maintainer.links.dicom import canary, echo
from maintainer.links.node_link import NodeLink
from maintainer.links.postgres import probe_database
from maintainer.links.store_scan import Scanner
from maintainer.model.task import NodeQuery, Observation, Probe, Recorded, SqlQuery, StoreScan

History = Callable[[str, str], dict[str, dict[str, float]]]

CALLABLE = "SELECT coalesce(has_function_privilege(to_regprocedure(%(function)s), 'EXECUTE'), false) AS callable"
QUERY_TIME = timedelta(minutes=2)
PROGRAM_TIME = timedelta(minutes=5)
BATCH_TIME = timedelta(minutes=10)
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
        match observation:
            case SqlQuery():
                return self._query(observation)
            case NodeQuery(program=program, request=request):
                return self._link.program().observe(program, request, PROGRAM_TIME)
            case Probe(by=by):
                return self._probe(by)
            case StoreScan():
                return self._scan(observation)
            case Recorded(measurement=measurement):
                return cast(JsonValue, self._history(self._link.name, measurement))

    def _query(self, query: SqlQuery) -> JsonValue:
        session = self._link.reading()
        if query.calls and not session.rows(CALLABLE, {"function": query.calls}, QUERY_TIME)[0]["callable"]:
            return []
        return cast(JsonValue, session.rows(query.text, query.parameters, QUERY_TIME))

    def _probe(self, by: str) -> JsonValue:
        node = self._link.node
        if by in {"c-echo", "canary"} and node.dicom is not None:
            return echo(node.address, node.dicom) if by == "c-echo" else canary(node.address, node.dicom)
        if by == "mounts":
            return self._mounts()
        return probe_database(self._link.tunnel(), self._link.database, timedelta(seconds=10))

    def _mounts(self) -> JsonValue:
        begun = time.monotonic()
        answer: Any = self._link.program().observe("mounts", {}, MOUNTS_TIME)
        why = next(filter(None, (_mount_trouble(path, answer.get(path)) for path in self._link.node.mounts)), "")
        return {"answered": not why, "why": why, "seconds": round(time.monotonic() - begun, 3)}

    def _scan(self, scan: StoreScan) -> JsonValue:
        store = self._link.node.store
        if store is None:
            raise CouldNotLook("it has no store", where=self._link.name, hint=f"write [nodes.{self._link.name}.store]")
        recorded = self._history(self._link.name, scan.resume).get("store", {"last": 0.0})
        scanner = Scanner(
            product=product(store.archive),
            scan=scan,
            resume_after=int(recorded["last"]),
            rows=lambda text, parameters: self._link.reading().rows(text, parameters, QUERY_TIME),
            ask=lambda program, request: self._link.program().observe(program, request, BATCH_TIME),
        )
        return scanner.run()


def _mount_trouble(path: str, state: dict[str, Any] | None) -> str:
    """Say what is wrong with a mount point, or nothing.

    >>> _mount_trouble("/srv/dicom", {"mounted": True, "empty": True, "problem": ""})
    '/srv/dicom is mounted and empty'
    """
    if state is None:
        return f"{path} is not in the node's policy"
    if not state["mounted"]:
        return f"{path} is not mounted"
    return f"{path}: {state['problem']}" if state["problem"] else f"{path} is mounted and empty" * state["empty"]
