"""Before one member of a group goes down, another proves that it serves now."""

import time

from maintainer.errors import CouldNotLook
from maintainer.model.finding import Finding, Severity
from maintainer.model.inventory import Inventory, Node
from maintainer.model.probes import silence
from maintainer.planning.admission import PartnerProof
from maintainer.running.checkup import greet
from maintainer.running.node_state import holder_of
from maintainer.running.ports import Look

BETWEEN_ASKS = 0.1
"""Seconds. Asked twice, so that one that comes and goes is not taken for one that serves."""


def proofs(
    node: str, inventory: Inventory, look: Look, controller: str = "", machine: str | None = None
) -> tuple[PartnerProof, ...]:
    """Ask every partner of a node whether it serves, and goes on serving. Who cannot be asked does not.

    `machine`: the id of the machine that the node is, where it told.
    """
    return tuple(
        proof(partner, inventory.nodes[partner], look, controller, machine) for partner in inventory.partners(node)
    )


def proof(name: str, node: Node, look: Look, controller: str = "", machine: str | None = None) -> PartnerProof:
    """Ask one node whether it serves; for a `controller`, also whether no other one may take it down meanwhile.

    One that is `machine` under another name goes down with it, so it does not count.

    Two controllers that each hold one member of a group both see the other's lease here, so neither takes its own down.
    """
    try:
        with look(name) as observer:
            why = silence(node, observer.observe)
            if not why:
                time.sleep(BETWEEN_ASKS)
                again = silence(node, observer.observe)
                why = again and f"it answered, and then did not: {again}"
            if controller and not why:
                holder = holder_of(observer)
                why = f"another controller holds it: {holder}" if holder and holder.controller != controller else ""
            if machine and not why and greet(observer).machine_id_sha256 == machine:
                why = "it is the same machine under another name: correct the inventory"
    except CouldNotLook as error:
        why = error.said_of(name)
    return PartnerProof(node=name, serves=not why, why=why)


def partner_lost(node: str, lost: PartnerProof) -> Finding:
    return Finding(
        severity=Severity.CRITICAL,
        cause="partner-lost",
        subject=lost.node,
        evidence={"during_outage_of": node, "why": lost.why},
        advice=f"{lost.node} served before {node} was taken down and does not now: look at it at once",
    )
