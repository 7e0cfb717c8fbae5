"""Why a node is left alone, or only kept in service: people at work, a frozen group, what nobody could settle.

Known from the log before anybody looks at the node; the same in a dry run and in a run.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from maintainer.intervention_log.open_ends import OpenEnds
from maintainer.intervention_log.record import Intervention, Record
from maintainer.model.finding import Finding, Severity
from maintainer.model.inventory import Inventory
from maintainer.model.plan import Answer, Refuse, Risk, Steps


class Caution(NamedTuple):
    """What holds one node back.

    `alone`: nothing is done there, not even looked. `in_service`: it may be worked on, but not taken out of service.
    `intents`: steps of earlier runs to be settled first.
    """

    alone: Refuse | None = None
    in_service: Refuse | None = None
    intents: tuple[Record, ...] = ()

    def restrain(self, answer: Answer) -> Answer:
        """Take out of an answer what would cost an outage, when this node has to go on serving."""
        if self.in_service is None or not isinstance(answer, Steps):
            return answer
        costly = {step.subject for step in answer.steps if step.risk is Risk.OUTAGE}
        rest = tuple(step for step in answer.steps if step.subject not in costly)
        if not costly:
            return answer
        if not rest:
            kept = {"findings": answer.findings, "measured": answer.measured}
            return self.in_service.model_copy(update=kept)
        return answer.model_copy(
            update={"steps": rest, "findings": (*answer.findings, _put_off(costly, self.in_service))}
        )


def caution(node: str, ends: OpenEnds, inventory: Inventory, now: datetime) -> Caution:
    """Find what holds a node back tonight."""
    partners = inventory.partners(node)
    here = [one for one in ends.interventions if one.node == node]
    beside = [one for one in ends.interventions if one.node in partners]
    group = inventory.group_of(node)
    names, members = {group[0]} if group else set(), {node, *partners}
    # By the member too: a group that was renamed since is still the one in which that node went down.
    frozen = [one for one in ends.frozen if one.subject in names or one.node in members]
    return Caution(
        alone=_at_work(here[0], now) if here else _frozen(frozen[0]) if frozen else None,
        in_service=_keep_serving(beside[0]) if beside else None,
        intents=tuple(one for one in ends.intents if one.node == node),
    )


def under_way(held: Caution, holder: str) -> Caution:
    """Keep a dry run from taking for a leftover what a run, by `holder`, is doing at this moment."""
    if not holder or not held.intents:
        return held
    because = f"a run is at work on this node now: {holder}"
    return held._replace(alone=held.alone or Refuse(because=because, hint="plan again when it has ended"))


def refusals(because: Refuse, count: int) -> Sequence[Refuse]:
    """Refuse each of a node's tasks; what is found is found once."""
    return (because, *[because.model_copy(update={"findings": ()})] * (count - 1))[:count]


def forgotten(record: Record, now: datetime) -> bool:
    return _of(record).ends <= now


def work_of(record: Record) -> str:
    """Say who is at work, on what and until when."""
    one = _of(record)
    return (
        f"{one.who} of {one.company} is at work on {record.node} ({one.place}: {one.scope})"
        f" since {_minute(record.at)}, until {_minute(one.ends)}"
    )


def frozen_since(record: Record) -> str:
    """Say why a group is frozen."""
    return f"the group {record.subject} is frozen since {_minute(record.at)}: {record.text}"


def how_to_thaw(group: str, node: str) -> str:
    return f"look at {node}, bring it back, see that images come from it; then `maintainer group thaw {group} --why …`"


def group_frozen(group: str, node: str, why: str) -> Finding:
    """Alert at the moment in which a group is frozen; later runs refuse, each night."""
    return Finding(
        severity=Severity.CRITICAL,
        cause="group-frozen",
        subject=group,
        evidence={"node": node, "why": why},
        advice=how_to_thaw(group, node),
    )


def how_to_close(record: Record) -> str:
    return f"when the work is over: `maintainer log close {record.node} --id {record.seq}`"


def _at_work(record: Record, now: datetime) -> Refuse:
    if not forgotten(record, now):
        return Refuse(because=work_of(record), hint=how_to_close(record))
    finding = Finding(
        severity=Severity.WARNING,
        cause="intervention-forgotten",
        subject=f"intervention {record.seq}",
        evidence={"who": _of(record).who, "company": _of(record).company, "until": _of(record).until},
        advice=f"ask {_of(record).who} whether the work is over, then `maintainer log close {record.node}`",
    )
    because = f"{work_of(record)}; that time is over, and nobody has closed the intervention"
    return Refuse(because=because, hint=how_to_close(record), findings=(finding,))


def _keep_serving(record: Record) -> Refuse:
    because = f"{work_of(record)} and may take it down: this node must go on serving"
    return Refuse(because=because, hint=how_to_close(record))


def _frozen(record: Record) -> Refuse:
    return Refuse(because=frozen_since(record), hint=how_to_thaw(record.subject, record.node))


def _put_off(subjects: set[str], why: Refuse) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        cause="outage-put-off",
        subject=", ".join(sorted(subjects)),
        advice=f"{why.because}; {why.hint}",
    )


def _of(record: Record) -> Intervention:
    if record.intervention is None:
        raise ValueError("only interventions have people at work")
    return record.intervention


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
