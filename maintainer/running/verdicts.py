"""A person's word on what no look could tell: how a step ended, that a group may be worked on again,
that a finding is known.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from maintainer.errors import UsageError
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record
from maintainer.model.finding import Acknowledged
from maintainer.running.store_findings import TASK, StoreFinding


def settle(log: InterventionLog, actor: str, step: str, ending: Literal["done", "failed"], why: str) -> Record:
    """Note how a step ended.

    Raises:
        UsageError: no step of that id is open.
    """
    opens = {intent.step: intent for intent in log.open_intents()}
    if step not in opens:
        hint = _one_of(opens) or "nothing is open: `maintainer status` shows what waits for a person"
        raise UsageError(f"no step {step} waits for a word", hint=hint)
    intent = opens[step]
    return log.append(
        Kind.RECONCILED,
        actor=actor,
        node=intent.node,
        task=intent.task,
        subject=intent.subject,
        step=step,
        ending=ending,
        text=why,
    )


def thaw(log: InterventionLog, actor: str, group: str, why: str) -> Record:
    """Note that the members of a frozen group may be worked on again.

    Raises:
        UsageError: it is not frozen.
    """
    frozen = {record.subject: record for record in log.open_ends().frozen}
    if group not in frozen:
        raise UsageError(f"the group {group} is not frozen", hint=_one_of(frozen) or "no group is")
    return log.append(Kind.GROUP_THAWED, actor=actor, node=frozen[group].node, subject=group, text=why)


def acknowledge(log: InterventionLog, actor: str, about: Sequence[StoreFinding], word: Acknowledged) -> list[Record]:
    """Note that what is found about an object is known: one record for each cause, and for no other cause."""
    return [
        log.append(
            Kind.ACKNOWLEDGED,
            actor=actor,
            node=one.node,
            task=TASK,
            subject=one.finding.subject,
            finding=one.finding.model_copy(update={"acknowledged": word}),
            text=word.why,
        )
        for one in about
    ]


def _one_of(known: Mapping[str, Record]) -> str:
    return f"it is one of {', '.join(known)}" if known else ""
