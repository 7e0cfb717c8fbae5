"""How a client asks whether a node serves."""

from collections.abc import Callable

from pydantic import JsonValue

from maintainer.model.inventory import Node
from maintainer.model.task import Probe

Ask = Callable[[Probe], JsonValue]


def probes(node: Node) -> tuple[Probe, ...]:
    """Every way in which a client can ask this node, the quickest first."""
    declared = {
        "select-1": node.database,
        "c-echo": node.dicom,
        "mounts": node.mounts,
        "canary": node.dicom and node.dicom.canary,
    }
    return tuple(Probe.model_validate({"by": by}) for by, there in declared.items() if there)


def silence(node: Node, ask: Ask) -> str:
    """Say which probe did not answer and why; nothing when the node serves.

    >>> silence(Node.model_construct(database=None, dicom=None), lambda probe: None)
    'it has neither a database nor a DICOM service to ask'
    """
    if not (node.database or node.dicom):
        return "it has neither a database nor a DICOM service to ask"
    for probe in probes(node):
        answer = ask(probe)
        if not isinstance(answer, dict) or answer.get("answered") is not True:
            return f"{probe.by}: {answer.get('why') if isinstance(answer, dict) else 'no answer'}"
    return ""
