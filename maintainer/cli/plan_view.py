"""A plan as people read it."""

from collections.abc import Iterator
from pathlib import Path

import click

from maintainer.cli.output import Card, show_cards, show_table
from maintainer.model.finding import Finding
from maintainer.model.plan import Answer, Entry, Plan, Refuse, Step, Steps, Unseen
from maintainer.model.values import about, counted
from maintainer.running.recorder import summary

_AGO = "_seconds_ago"
_UNITS = ((86400, "days"), (3600, "h"), (60, "min"))


def show_plan(plan: Plan, out: Path | None) -> None:
    show_table(
        "Decisions",
        ("node", "task", "answer", "what"),
        [decision_row(entry.node, entry.task, entry.answer) for entry in plan.entries],
    )
    steps = [row for entry in plan.entries for row in _step_rows(entry)]
    if steps:
        show_table("Steps that a run would do now", ("node", "task", "risk", "step", "because"), steps)
    show_findings([(entry.node, finding) for entry in plan.entries for finding in entry.answer.findings])
    if out is not None:
        click.echo(f"Plan {plan.digest()[:12]} written to {out}; approved until {plan.expires_at:%Y-%m-%d %H:%M} UTC.")
        click.echo(f"Perform it in its window:  maintainer run --plan {out}")
    else:
        click.echo(" ".join(_conclusion(plan, len(steps))))


def _conclusion(plan: Plan, steps: int) -> Iterator[str]:
    """Say what it comes to; what could not be seen or was refused is never "nothing left to do"."""
    unseen = sum(isinstance(entry.answer, Unseen) for entry in plan.entries)
    refused = sum(isinstance(entry.answer, Refuse) for entry in plan.entries)
    if steps:
        yield f"{counted(steps, 'step')} would be done."
    if unseen:
        yield f"{unseen} of {len(plan.entries)} tasks could not look, so what is due there is not known."
    if refused:
        yield f"{refused} of {len(plan.entries)} tasks refused."
    if not (steps or unseen or refused):
        found = any(entry.answer.findings for entry in plan.entries)
        yield "Nothing left to do." if not found else "Nothing left to do here; what was found is for a person."
    if steps:
        yield "Nothing was changed by looking."


def decision_row(node: str, task: str, answer: Answer) -> tuple[str, str, str, str]:
    hint = f" → {answer.hint}" if isinstance(answer, Refuse | Unseen) and answer.hint else ""
    return node, task, answer.kind, summary(answer) + hint


def _step_rows(entry: Entry) -> list[tuple[str, str, str, str, str]]:
    steps = entry.answer.steps if isinstance(entry.answer, Steps) else ()
    return [(entry.node, entry.task, step.risk.value, step.title, step.reason + _taking(step)) for step in steps]


def _taking(step: Step) -> str:
    """Say what a step of the database will take."""
    if step.forecast is None:
        return ""
    seconds = step.forecast.seconds
    time = "how long it takes is not known yet" if seconds is None else f"takes about {about(seconds)}"
    return f"; {time}" + (f", and up to {step.room / 1e6:,.1f} MB of room" if step.room else "")


def show_findings(findings: list[tuple[str, Finding]]) -> None:
    """Worst first, what is acknowledged last; nothing at all when there are none."""
    if not findings:
        return
    order = {"critical": 0, "warning": 1, "info": 2}
    worst_first = sorted(findings, key=lambda found: (bool(found[1].acknowledged), order[found[1].severity.value]))
    show_cards("Findings", [_card(node, finding) for node, finding in worst_first])
    if any(finding.subject.startswith("object-") for _, finding in findings):
        click.echo("`maintainer log reveal object-…` tells on this controller which file an object is.")


def _card(node: str, finding: Finding) -> Card:
    evidence = ", ".join(evidence_of(finding))
    known = (acknowledged_by(finding),) if finding.acknowledged else ()
    return Card(
        (finding.severity.value, node, finding.cause, finding.subject), (evidence, f"→ {finding.advice}", *known)
    )


def evidence_of(finding: Finding) -> Iterator[str]:
    """Write what was seen as people say it: when something was, not how many seconds ago."""
    for name, value in finding.evidence.items():
        what = name.removesuffix(_AGO).replace("_", " ")
        if name.endswith(_AGO) and isinstance(value, int | float):
            yield f"{what} {ago(value)}"
        else:
            yield f"{name.replace('_', ' ')} {value}"


def ago(seconds: float) -> str:
    """Write how long ago something was, in the unit in which people would say it.

    >>> ago(40), ago(5400), ago(80_000), ago(2_629_135)
    ('40 s ago', '90 min ago', '22 h ago', '30 days ago')
    """
    unit, word = next(((unit, word) for unit, word in _UNITS if seconds >= 2 * unit), (1, "s"))
    return f"{seconds / unit:.0f} {word} ago"


def acknowledged_by(finding: Finding) -> str:
    known = finding.acknowledged
    return f"acknowledged by {known.who} on {known.at:%Y-%m-%d}: {known.why}" if known else ""
