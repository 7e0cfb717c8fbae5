"""A log with notes in it, and its file."""

from pathlib import Path

from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record


def open_log(state: Path) -> InterventionLog:
    return InterventionLog.open(state, origin="site-a")


def note(state: Path, *texts: str) -> list[Record]:
    with open_log(state) as log:
        return [log.append(Kind.NOTE, text=text) for text in texts]


def journal(state: Path) -> Path:
    return state / "interventions.jsonl"
