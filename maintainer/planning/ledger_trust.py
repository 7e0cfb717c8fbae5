"""Whether a node's ledger is the one that the controller has on record: who writes on the node can write there too."""

from collections.abc import Sequence
from enum import StrEnum


class Trust(StrEnum):
    """`UNPROVEN`: the log does not know its last state, because a run broke off or another controller made it."""

    TRUSTED = "trusted"
    UNPROVEN = "unproven"
    TAMPERED = "tampered"


def trust(root: str, seals: Sequence[str], recorded: str, *, sealed: bool, just_sealed: bool) -> Trust:
    """Compare the ledger as it is with its seals and with the root on record.

    Args:
        root: Of the ledger as it is.
        seals: Roots that the node itself noted, the last one first; whoever changes the ledger can forge them.
        recorded: The last root that the intervention log has, or nothing.
        sealed: Whether the last run closed the ledger.
        just_sealed: Whether this run had it sealed, and was told that root, which is about to be recorded.
    """
    if root == recorded:
        return Trust.TRUSTED
    if sealed and list(seals[:1]) != [root]:
        return Trust.TAMPERED
    before = seals[1:] if sealed else seals
    if not before and (just_sealed or not (sealed or recorded)):
        return Trust.TRUSTED  # it has just been begun
    if recorded and recorded not in before:
        return Trust.TAMPERED
    return Trust.TRUSTED if sealed and just_sealed else Trust.UNPROVEN
