"""Is the log whole, and is it the one that was signed?"""

from dataclasses import dataclass
from pathlib import Path

from maintainer.errors import LogError
from maintainer.intervention_log import chain
from maintainer.intervention_log.checkpoint import LATEST, PUBLIC_KEY, Checker, Checkpoint, PublicKey, read_public_key
from maintainer.intervention_log.durable_file import explained
from maintainer.intervention_log.journal import JOURNAL
from maintainer.intervention_log.lines import follow
from maintainer.intervention_log.record import Kind, Record, read_record

_MARK = f'"kind":"{Kind.CHECKPOINT}"'.encode()


@dataclass(frozen=True, kw_only=True)
class Verification:
    """A log that was found whole. `root` is the hash of its last record; `key` is empty before the first checkpoint."""

    size: int
    root: str
    checkpoints: int
    last_checkpoint: Record | None
    key: str

    @property
    def unsigned(self) -> int:
        """How many records came after the last checkpoint: of these the chain alone speaks."""
        return self.size - (self.last_checkpoint.seq if self.last_checkpoint else 0)


def verify(state: Path, trusted_key: str | None = None) -> Verification:
    """Read the whole log against its chain, its checkpoints and its public key.

    Raises:
        LogError: at the first thing that is wrong, with the line, the byte and the record.
    """
    if not any((state / name).exists() for name in (JOURNAL, LATEST, PUBLIC_KEY)):
        raise LogError(
            "there is no intervention log here",
            where=str(state),
            hint="see `state` in [controller]; the first run begins the log there, and a lost one comes from a backup",
        )
    return _Pass(state, trusted_key).run(torn=True)


def vouch(state: Path) -> None:
    """See that what there is of a log is whole and no shorter than what was signed, before it is asked anything.

    A record that a crash cut off is nobody's answer yet: the next run sets it aside.

    Raises:
        LogError: as `verify` does.
    """
    journal = state / JOURNAL
    with explained(journal, "read the log"):
        begun = (state / PUBLIC_KEY).exists() or (journal.exists() and journal.stat().st_size > 0)
    if begun:
        _Pass(state, None).run(torn=False)


class _Pass:
    """One reading of the log."""

    def __init__(self, state: Path, trusted_key: str | None) -> None:
        self._path = state / JOURNAL
        self._latest_path = state / LATEST
        # Read before the log, which only grows: a checkpoint written meanwhile must not seem to be ahead of it.
        self._key = _pinned_key(state / PUBLIC_KEY, trusted_key)
        self._checker = Checker(self._key) if self._key else None
        self._latest = _read_latest(self._latest_path, self._checker)
        self._count, self._last, self._signed_root = 0, chain.GENESIS, chain.NO_HASH

    def run(self, *, torn: bool) -> Verification:
        head = chain.GENESIS
        for head in follow(self._path, torn=torn):
            if _MARK in head.line:
                self._see(head)
            if self._latest and head.seq == self._latest.size:
                self._signed_root = head.hash
        self._compare_with_latest(head)
        return Verification(
            size=head.seq,
            root=head.hash,
            checkpoints=self._count,
            last_checkpoint=read_record(self._last.line) if self._count else None,
            key=self._key.text() if self._key else "",
        )

    def _see(self, link: chain.Link) -> None:
        """Check a record that may be a checkpoint: it must sign exactly what stands before it."""
        record = read_record(link.line)
        if record.kind is not Kind.CHECKPOINT:
            return
        where = f"{self._path}:{link.seq}: byte {link.end - len(link.line)}, record {link.seq}"
        if self._checker is None:
            raise _no_key(self._latest_path)
        said = self._checker.read(record.text, where)
        if said != (record.origin, link.seq - 1, record.prev):
            raise LogError(
                f"the log was rewritten: this checkpoint signs {said.size} records that ended otherwise",
                where=where,
                hint="some record before this line was replaced; compare with a backup or an export",
            )
        self._count, self._last = self._count + 1, link

    def _compare_with_latest(self, head: chain.Link) -> None:
        if self._latest is None:
            if self._count or self._key:
                raise _missing(self._latest_path, "the last signed checkpoint is gone")
            return
        if self._latest.size > head.seq:
            raise cut_short(self._path, self._latest.size, head)
        if self._latest.root != self._signed_root:
            raise LogError(
                f"the log was rewritten: the signed checkpoint of {self._latest.size} records ended otherwise",
                where=f"{self._path}:{self._latest.size}",
                hint="some record up to this line was replaced; compare with a backup or an export",
            )


def latest_checkpoint(state: Path) -> Checkpoint | None:
    """Read what was signed last, believing the pinned key; None before the first time.

    Raises:
        LogError: it is not signed by that key.
    """
    key = _pinned_key(state / PUBLIC_KEY, None)
    return _read_latest(state / LATEST, Checker(key) if key else None)


def cut_short(path: Path, signed: int, head: chain.Link) -> LogError:
    return LogError(
        f"the log was cut: {signed} records were signed, {head.seq} are there",
        where=f"{path}:{head.seq + 1}: byte {head.end}, record {head.seq + 1}",
        hint=f"restore {path.name} from a backup; {LATEST} says what it must end in",
    )


def _read_latest(path: Path, checker: Checker | None) -> Checkpoint | None:
    note = _text_of(path)
    if note is None:
        return None
    if checker is None:
        raise _no_key(path)
    return checker.read(note, str(path))


def _pinned_key(path: Path, trusted: str | None) -> PublicKey | None:
    text = _text_of(path)
    pinned = read_public_key(text, str(path)) if text is not None else None
    if trusted is None:
        return pinned
    known = read_public_key(trusted, "the trusted key")
    if pinned is None:
        raise _no_key(path)
    if pinned != known:
        raise LogError(
            f"the log's key was swapped: {pinned.name} {pinned.id} is not the trusted {known.name} {known.id}",
            where=str(path),
            hint="whoever swapped it can have rewritten the whole log: restore the state folder from a backup",
        )
    return known


def _text_of(path: Path) -> str | None:
    with explained(path, "read this file"):
        try:
            return path.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return None


def _missing(path: Path, what: str) -> LogError:
    return LogError(what, where=str(path), hint="restore it from a backup or an export")


def _no_key(beside: Path) -> LogError:
    return _missing(beside.with_name(PUBLIC_KEY), "the log's public key is gone")
