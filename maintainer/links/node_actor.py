"""The hands: every action of the model, made real. Only the executor is ever given them."""

from datetime import timedelta

from pydantic import JsonValue

from maintainer.links.clinic import Clinic
from maintainer.links.drain import drain
from maintainer.links.lease import Lease
from maintainer.links.node_link import NodeLink
from maintainer.links.node_observer import NodeObserver
from maintainer.links.operation import carry_out
from maintainer.links.outage import Outage
from maintainer.links.reboot import reboot
from maintainer.links.relation_check import check_relations
from maintainer.links.store_ledger import verify
from maintainer.model.action import (
    Action,
    CheckRelations,
    Drain,
    NodeOperation,
    ProveService,
    Reboot,
    RestartServices,
    Sql,
    VerifyStore,
)
from maintainer.model.progress import Tell, to_nobody


class NodeActor:
    """Changes one node, one action at a time."""

    def __init__(self, link: NodeLink, observer: NodeObserver, lease: Lease) -> None:
        self._link, self._observer, self._lease, self._outage = link, observer, lease, Outage()
        self._clinic = Clinic(lambda text, parameters, within: link.reading().rows(text, parameters, within))

    def perform(  # noqa: PLR0911 (one for each kind of action)
        self, action: Action, timeout: timedelta, step: str, tell: Tell = to_nobody
    ) -> dict[str, JsonValue]:
        """Do it and answer what was measured. `step` is the id by which the node knows it, also after a lost link.

        Raises:
            NodeHeld: another run or another controller holds the node by now; nothing was done.
            ActionFailed: the node said that it did not succeed.
            GaveWay: somebody waited for the statement, or it for a lock, so that it was cancelled.
            StillInUse: somebody sends or fetches images, and nothing was stopped.
            LinkLost: the link broke, so that it may or may not have happened.
            CouldNotLook: it was never sent.
        """
        match action:
            case Sql(text=text, settings=settings):
                # The database knows no leases.
                self._lease.check()
                self._clinic.begins()
                with self._link.acting() as session:
                    with session.counting_wal() as wal:
                        measured = session.perform(text, timeout, settings, tell)
                    return measured | wal | self._clinic.told()
            case CheckRelations(checks=checks):
                self._lease.check()
                self._clinic.begins()
                return check_relations(self._link, checks, timeout) | self._clinic.told()
            case RestartServices(services=services, stop_first=stop_first):
                if stop_first:
                    self._outage.begins()
                request: dict[str, JsonValue] = {"services": list(services), "stop_first": list(stop_first)}
                return carry_out(self._link, step, "restart", request, timeout)
            case NodeOperation(program=program, request=request):
                return carry_out(self._link, step, program, request, timeout)
            case VerifyStore():
                return verify(self._link, self._observer, action, step, timeout)
            case Drain():
                return drain(action, self._link.node, self._observer.observe)
            case Reboot(within=within):
                self._outage.begins()
                return reboot(self._link, self._observer, min(within, timeout))
            case ProveService(within=within):
                return self._outage.ends(self._link.name, self._link.node, self._observer.observe, min(within, timeout))
