"""Before one member of a group goes down, another proves that it serves now."""

from pydantic import JsonValue

from maintainer.errors import CouldNotLook
from maintainer.model.inventory import Inventory, Node
from maintainer.model.task import Probe
from maintainer.planning.admission import PartnerProof
from maintainer.running.ports import Look, Observer


def probes(node: Node) -> tuple[Probe, ...]:
    """Every way in which a client can ask this node whether it serves."""
    asked = [Probe(by="select-1")] if node.database else []
    return (*asked, *([Probe(by="c-echo")] if node.dicom else []))


def silent(node: Node, observer: Observer) -> str:
    """Say which probe did not answer and why; nothing when the node serves.

    >>> silent(Node.model_construct(database=None, dicom=None), None)
    'it has neither a database nor a DICOM service to ask'
    """
    if not probes(node):
        return "it has neither a database nor a DICOM service to ask"
    for probe in probes(node):
        answer: JsonValue = observer.observe(probe)
        if not isinstance(answer, dict) or answer.get("answered") is not True:
            return f"{probe.by}: {answer.get('why') if isinstance(answer, dict) else 'no answer'}"
    return ""


def proofs(node: str, inventory: Inventory, look: Look) -> tuple[PartnerProof, ...]:
    """Ask every partner of a node whether it serves. Who cannot be asked does not."""
    return tuple(_proof(partner, inventory.nodes[partner], look) for partner in inventory.partners(node))


def _proof(name: str, node: Node, look: Look) -> PartnerProof:
    try:
        with look(name) as observer:
            why = silent(node, observer)
    except CouldNotLook as error:
        why = error.what
    return PartnerProof(node=name, serves=not why, why=why)
