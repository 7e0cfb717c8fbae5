"""The hands: every action of the model, made real. Only the executor is ever given them."""

import time
from datetime import timedelta

from pydantic import JsonValue

from maintainer.errors import ActionFailed, CouldNotLook
from maintainer.links.node_link import NodeLink
from maintainer.links.node_observer import NodeObserver
from maintainer.model.plan import Action, NodeOperation, ProveService, ServiceAction, Sql
from maintainer.model.probes import silence

BETWEEN_PROOFS = 0.5


class NodeActor:
    """Changes one node, one action at a time."""

    def __init__(self, link: NodeLink, observer: NodeObserver) -> None:
        self._link, self._observer = link, observer

    def perform(self, action: Action, timeout: timedelta) -> dict[str, JsonValue]:
        """Do it and answer what was measured.

        Raises:
            ActionFailed: the node said that it did not succeed.
            LinkLost: the link broke, so that it may or may not have happened.
            CouldNotLook: it was never sent.
        """
        match action:
            case Sql(text=text):
                with self._link.acting() as session:
                    return session.perform(text, timeout)
            case ServiceAction(verb=verb, service=service):
                return self._on_node("service", {"verb": verb, "service": service}, timeout)
            case NodeOperation(program=program, request=request):
                return self._on_node(program, request, timeout)
            case ProveService(within=within):
                return self._prove(min(within, timeout))

    def _on_node(self, program: str, request: dict[str, JsonValue], timeout: timedelta) -> dict[str, JsonValue]:
        answer = self._link.program().act(program, request, timeout)
        return answer if isinstance(answer, dict) else {}

    def _prove(self, within: timedelta) -> dict[str, JsonValue]:
        """Ask every probe until all answer; the last silence is the error's text."""
        started = time.monotonic()
        while True:
            why = self._silence()
            waited = time.monotonic() - started
            if not why:
                return {"served_after_seconds": round(waited, 3)}
            if waited >= within.total_seconds():
                raise ActionFailed(
                    f"it does not serve after {waited:.0f} s: {why}",
                    where=self._link.name,
                    hint="look at the service's own log on the node",
                )
            time.sleep(BETWEEN_PROOFS)

    def _silence(self) -> str:
        try:
            return silence(self._link.node, self._observer.observe)
        except CouldNotLook as error:
            return error.what
