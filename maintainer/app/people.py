"""What a person at the keyboard decides: put on record, and carried to a node where it has to be."""

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from maintainer.app.choice import check_known
from maintainer.errors import MaintainerError
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Intervention, Kind, Record
from maintainer.intervention_log.run_lock import RunLock
from maintainer.intervention_log.snapshots import Snapshots
from maintainer.model.finding import Acknowledged
from maintainer.running.accepted import check_acceptable
from maintainer.running.store_findings import open_about, stores
from maintainer.running.verdicts import acknowledge, settle, thaw
from maintainer.running.visits import Visit, Visits

if TYPE_CHECKING:
    from maintainer.app.composition import Maintainer
    from maintainer.links.lease import Released


def _now() -> datetime:
    return datetime.now(UTC)


class People:
    """One invocation's decisions; `app` has the log and the links."""

    def __init__(self, app: "Maintainer") -> None:
        self._app = app

    def open_intervention(self, node: str, intervention: Intervention) -> Visit:
        """Note that a person works on a node: the agent keeps off it until the intervention is closed."""
        self._check_node(node)
        with self._app.open_log() as log:
            return self._visits(log).open(node, intervention)

    def close_intervention(self, node: str, number: int | None, note: str) -> Visit:
        with self._app.open_log() as log:
            return self._visits(log).close(node, number, note)

    def settle(self, step: str, ending: Literal["done", "failed"], why: str) -> Record:
        """Note a person's word on how a step ended.

        Raises:
            Busy: a run goes on, whose steps end by themselves.
        """
        with RunLock(self._app.state, command="maintainer settle"), self._app.open_log() as log:
            return settle(log, self._app.actor, step, ending, why)

    def thaw(self, group: str, why: str) -> Record:
        with self._app.open_log() as log:
            return thaw(log, self._app.actor, group, why)

    def acknowledge(self, name: str, node: str | None, who: str, why: str, *, accept: bool = False) -> list[Record]:
        """Note that a person knows what is found about an object: it is shown on, and alarms no longer.

        Raises:
            UsageError: nothing is found about it now, or on more than one node and none is named; or it is to be
                accepted as it is and cannot be.
        """
        actor = self._app.actor
        with self._app.open_log() as log:
            about = open_about(stores(log, self._app.loaded.assignments), name, node)
            if accept:
                check_acceptable(self._app.inventory, about)
            word = Acknowledged(who=who or actor, at=_now(), why=why, accepted=accept)
            return acknowledge(log, actor, about, word)

    def release(self, node: str, why: str, *, cancel: bool, accept_log: bool) -> "Released":
        """Take a node's lease from whoever has it, as the person at the keyboard decided, and note it.

        `accept_log`: the node takes this log for the right one, whatever it was shown before.

        Raises:
            Busy: a run of this controller goes on, which gives back what it holds by itself.
            ActionFailed: the node said no.
            CouldNotLook: the node did not answer.
            LogError: the node was shown another log, so that what runs there was not cancelled.
        """
        self._check_node(node)
        with RunLock(self._app.state, command="maintainer node release"), self._app.open_log() as log:
            run = f"release-{secrets.token_hex(4)}"
            holder, how = self._app.holder(run, log), {"cancel": cancel, "accept_log": accept_log}
            try:
                released = self._app.fleet(log).release_by_person(node, holder, why, **how)
            except MaintainerError as error:
                # It may have been released all the same.
                self._note(log, node, f"began to release the lease, and did not end: {error.said_of(node)}; {why}")
                raise
            before = f" of {released.before['who']}, held since {released.before['since']}" if released.before else ""
            accepted = ", which is to take this log for the right one" * accept_log
            self._note(log, node, f"released the lease{before}{accepted}: {why}")
            return released

    def _note(self, log: InterventionLog, node: str, text: str) -> None:
        log.append(Kind.NOTE, node=node, actor=self._app.actor, text=text)

    def _check_node(self, node: str) -> None:
        check_known(self._app.loaded, "node", [node], self._app.inventory.nodes)

    def _visits(self, log: InterventionLog) -> Visits:
        return Visits(
            log=log,
            snapshots=Snapshots(self._app.state),
            inventory=self._app.inventory,
            look=self._app.fleet(log).look,
            actor=self._app.actor,
            clock=_now,
        )
