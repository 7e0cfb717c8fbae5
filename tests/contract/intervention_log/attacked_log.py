"""A signed log that is attacked, and what the product and the stand-alone verifier say of it."""

import re
from pathlib import Path

from maintainer.errors import LogError
from maintainer.intervention_log import chain, verifier
from maintainer.intervention_log.checkpoint import Checkpoint, SigningKey
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind, Record, read_record

JOURNAL, LATEST, PUBLIC = "interventions.jsonl", "checkpoint.txt", "log-signing.pub"


def lines_of(state: Path) -> list[bytes]:
    return (state / JOURNAL).read_bytes().splitlines(keepends=True)


def write(state: Path, lines: list[bytes]) -> None:
    (state / JOURNAL).write_bytes(b"".join(lines))


def product_says(state: Path, key: str | None = None) -> str:
    try:
        with InterventionLog.read(state) as log:
            log.verify(key)
    except LogError as error:
        return f"{error.where}: {error.what}"
    return ""


def verifier_says(state: Path, key: Path | None = None) -> str:
    try:
        verifier.verify(state / JOURNAL, key)
    except verifier.WrongError as error:
        return str(error)
    return ""


def place(said: str) -> str:
    """Find `interventions.jsonl:LINE: byte B, record N`, or the file's name, in what was said."""
    found = re.search(r"([\w.-]+:\d+: byte \d+, record \d+|[\w.-]+(:\d+)?): ", said)
    assert found, said
    return found[1]


def both_find(state: Path, key: Path | None = None) -> str:
    """Let both verify; they must agree that it is wrong, and where."""
    product, alone = product_says(state, key.read_text() if key else None), verifier_says(state, key)
    assert product
    assert alone
    assert place(product) == place(alone)
    return product


def resealed(lines: list[bytes], key: SigningKey | None = None) -> list[bytes]:
    """Do what an attacker with write access can do: compute all hashes anew, and sign with a key of his own."""
    made: list[bytes] = []
    prev = chain.NO_HASH
    for seq, line in enumerate(lines, 1):
        record = read_record(line).model_copy(update={"seq": seq, "prev": prev})
        if key and record.kind is Kind.CHECKPOINT:
            note = key.sign(Checkpoint("site-a", seq - 1, prev))
            record = record.model_copy(update={"text": note})
        sealed, prev = chain.seal(Record.model_validate(record.model_dump()).body())
        made.append(sealed)
    return made
