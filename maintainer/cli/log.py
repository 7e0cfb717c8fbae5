"""`maintainer log …`: reading, proving and passing on the intervention log."""

import getpass
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maintainer.cli import complete
from maintainer.cli.log_options import filter_options
from maintainer.cli.log_people import close, open_
from maintainer.cli.output import emit, json_option, show_table
from maintainer.cli.session import Session
from maintainer.errors import UsageError
from maintainer.model.values import counted

if TYPE_CHECKING:
    from maintainer.intervention_log.record import Record
    from maintainer.intervention_log.verification import Verification


@click.group()
def log() -> None:
    """Read, verify and export the intervention log; tell it of a person's work, add a note."""


log.add_command(open_)
log.add_command(close)


@log.command("list")
@filter_options
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="The newest so many.")
@json_option
@click.pass_obj
def list_(session: Session, /, *, limit: int, as_json: bool, **words: Any) -> None:
    """List records, oldest first."""
    from maintainer.cli.log_filter import wanted  # noqa: PLC0415 (only commands that read the log need its types)

    with session.app.read_log() as opened:
        records = list(opened.records(wanted(limit=limit, **words)))
    if as_json:
        emit({"format": "maintainer.log/1", "records": [_document(record) for record in records]})
    else:
        show_table(
            "Intervention log", ("seq", "time", "node", "task", "kind", "ending", "what"), [_row(r) for r in records]
        )


@log.command()
@click.argument("seq", type=click.IntRange(min=1))
@json_option
@click.pass_obj
def show(session: Session, *, seq: int, as_json: bool) -> None:
    """Show one record whole, with the others of its step."""
    from maintainer.intervention_log.filter import Filter  # noqa: PLC0415 (as above)

    with session.app.read_log() as opened:
        record = opened.record(seq)
        if record is None:
            raise UsageError(f"the log has no record {seq}", hint="`maintainer log list` shows their numbers")
        same = [
            r for r in opened.records(Filter(run=record.run)) if record.step and r.step == record.step and r.seq != seq
        ]
    if as_json:
        emit({"format": "maintainer.log/1", "records": [_document(record), *map(_document, same)]})
        return
    for one in (record, *same):
        show_table(
            f"Record {one.seq}", ("field", "value"), [(name, str(value)) for name, value in _document(one).items()]
        )


@log.command()
@click.option(
    "--key", type=click.Path(path_type=Path), help="A kept copy of the log's public key: finds a log signed anew."
)
@json_option
@click.pass_obj
def verify(session: Session, *, key: Path | None, as_json: bool) -> None:
    """Prove that no record was changed, removed, added or reordered. Exit code 74 and the place when one was."""
    with session.app.read_log(vouched=False) as opened:
        verified = opened.verify(_text(key) if key else None)
    if as_json:
        emit({"format": "maintainer.verify/1", "verified": True, **_facts(verified)})
    else:
        click.echo(
            f"{session.app.state / 'interventions.jsonl'}: {counted(verified.size, 'record')} in one unbroken chain, "
            f"{counted(verified.checkpoints, 'signed checkpoint')} in order; root {verified.root[:16]}…"
        )


@log.command()
@click.argument("text")
@click.option("--node", "-n", metavar="NAME", help="The node that the note is about.", shell_complete=complete.nodes)
@json_option
@click.pass_obj
def note(session: Session, *, text: str, node: str | None, as_json: bool) -> None:
    """Add a person's note to the chain. Name no patients in it: the log is kept and shown for years."""
    from maintainer.intervention_log.record import Kind  # noqa: PLC0415 (as above)

    app = session.app
    app.choose(window=None, nodes=(node,) if node else (), tasks=())
    with app.open_log() as opened:
        record = opened.append(
            Kind.NOTE, actor=f"{getpass.getuser()}@{socket.gethostname()}", node=node or "", text=text
        )
    if as_json:
        emit({"format": "maintainer.log/1", "records": [_document(record)]})
    else:
        click.echo(f"Note {record.seq} is in the log.")


@log.command()
@click.argument("destination", type=click.Path(path_type=Path))
@filter_options
@json_option
@click.pass_obj
def export(session: Session, /, *, destination: Path, as_json: bool, **words: Any) -> None:
    """Copy the log, its key and a verifier to a new folder.

    The verifier needs nothing but Python. The whole log always goes along; what the options select is written beside
    it, as JSON Lines and CSV.
    """
    from maintainer.cli.log_filter import wanted  # noqa: PLC0415 (as above)
    from maintainer.intervention_log.export import export_log  # noqa: PLC0415 (as above)

    done = export_log(session.app.state, destination, wanted(**words))
    if as_json:
        emit({"format": "maintainer.export/1", "folder": done.folder, "records": done.size, "selected": done.selected})
    else:
        click.echo(f"{done.folder}: the whole log ({done.size} records), {done.selected} of them selected")
        click.echo(f"Prove it anywhere:  python3 {done.folder}/verifier.py {done.folder}/interventions.jsonl")


@log.command()
@click.argument("name")
@json_option
@click.pass_obj
def reveal(session: Session, *, name: str, as_json: bool) -> None:
    """Tell which file of the store an object-… of the log is. Works only on the controller that wrote it."""
    from maintainer.intervention_log.pseudonyms import Pseudonyms  # noqa: PLC0415 (as above)

    found = Pseudonyms(session.app.state).reveal(name)
    if found is None:
        raise UsageError(
            f"this controller does not know {name}",
            hint="copy the whole name from `maintainer log list --kind finding`",
        )
    if as_json:
        emit({"format": "maintainer.reveal/1", "name": name, "is": found})
    else:
        click.echo(found)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the key: {error}", where=str(path), hint="give the file log-signing.pub as you kept it"
        ) from error


def _facts(verified: "Verification") -> dict[str, object]:
    last = verified.last_checkpoint
    return {
        "records": verified.size,
        "root": verified.root,
        "checkpoints": verified.checkpoints,
        "unsigned": verified.unsigned,
        "last_checkpoint": last.time if last else "",
        "key": verified.key,
    }


def _document(record: "Record") -> dict[str, object]:
    return record.model_dump(mode="json", exclude_defaults=True)


def _row(record: "Record") -> tuple[str, ...]:
    finding = f"{record.finding.severity}: {record.finding.cause} {record.finding.subject}" if record.finding else ""
    what = record.title or finding or record.text or record.subject
    said = record.text if record.finding else ""
    more = record.error or (record.reason if record.ending == "not-run" else said)
    ending = record.ending or (record.reason if record.kind == "decided" else "")
    return (
        str(record.seq),
        record.time[:19] + "Z",
        record.node,
        record.task,
        record.kind.value,
        ending,
        f"{what}{': ' if more else ''}{more}",
    )
