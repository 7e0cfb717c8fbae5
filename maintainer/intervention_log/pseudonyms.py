"""Names under which patients' objects may appear in the log, in plans and on screens.

The real identifiers stay in one private file on the controller, so that `maintainer log reveal` can find them again.
"""

import hashlib
import hmac
import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from maintainer.errors import LogError
from maintainer.intervention_log.durable_file import PRIVATE_FILE, explained, make_folder, read_or_create

KEY = "pseudonym.key"
MAPPING = "private.sqlite"
KEY_BYTES = 32
DIGITS = 16

_KIND = re.compile(r"[a-z][a-z0-9-]{0,62}")


class Pseudonyms:
    """Keyed hashes of identifiers. The same identifier has the same name for as long as the key lives."""

    def __init__(self, state: Path) -> None:
        self._key_path, self._mapping_path = state / KEY, state / MAPPING
        self._threads = threading.Lock()
        self._remembered: set[str] = set()
        self._opened = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._opened:
            self._mapping.close()
            self._opened = False

    def of(self, kind: str, value: str) -> str:
        """Name an identifier, e.g. `object-3fa94c0d52b1e6f7`, and remember what it stands for.

        Raises:
            LogError: it could not be remembered, so the name would be of no use to anybody.
        """
        if not _KIND.fullmatch(kind):
            raise ValueError(f"{kind!r} is not a kind of thing")
        secret = f"{kind}\0{value}".encode("utf-8", "surrogateescape")
        name = f"{kind}-{hmac.new(self._key, secret, hashlib.sha256).hexdigest()[:DIGITS]}"
        with self._threads:
            if name not in self._remembered:
                self._remember(name, value)
        return name

    def reveal(self, name: str) -> str | None:
        """Find what a name stands for; None when it was never given."""
        if not self._mapping_path.exists():
            return None
        with self._said(), closing(sqlite3.connect(f"file:{self._mapping_path}?mode=rw", uri=True)) as mapping:
            row = mapping.execute("select value from pseudonyms where name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0]).decode("utf-8", "surrogateescape")

    def _remember(self, name: str, value: str) -> None:
        raw = value.encode("utf-8", "surrogateescape")  # a path on a node is bytes, not always UTF-8
        with self._said():
            self._mapping.execute("insert or ignore into pseudonyms (name, value) values (?, ?)", (name, raw))
        self._remembered.add(name)

    @cached_property
    def _key(self) -> bytes:
        make_folder(self._key_path.parent)
        if self._mapping_path.exists() and not self._key_path.exists():
            raise LogError(
                "the key of the pseudonyms is gone",
                where=str(self._key_path),
                hint=f"restore it from a backup, or move {MAPPING} away: new names will differ from those on record",
            )
        key = read_or_create(self._key_path, lambda: secrets.token_bytes(KEY_BYTES))
        if len(key) != KEY_BYTES:
            raise LogError(
                "the key of the pseudonyms is damaged", where=str(self._key_path), hint="restore it from a backup"
            )
        return key

    @cached_property
    def _mapping(self) -> sqlite3.Connection:
        with explained(self._mapping_path, "open the private file of pseudonyms"):
            os.close(os.open(self._mapping_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))
        mapping = sqlite3.connect(self._mapping_path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            # A killed process loses nothing; a power cut may lose the last names, which the next scan gives again.
            mapping.execute("pragma journal_mode = wal")
            mapping.execute("pragma synchronous = normal")
            mapping.execute("create table if not exists pseudonyms (name text primary key, value blob) without rowid")
        except sqlite3.Error:
            mapping.close()
            raise
        self._opened = True
        return mapping

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LogError(
                f"the private file of pseudonyms cannot be used: {error}",
                where=str(self._mapping_path),
                hint="make room, see that the agent's user may write here; if it is damaged, restore it from a backup",
            ) from error
